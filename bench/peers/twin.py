"""The PyTorch twin of a network of the benchmark, with the weights of its ONNX file.

Layers are torch.nn modules, each used once, because that is what the peers hook.

    python twin.py model.onnx output twin.pt
"""

import sys

import onnx
import torch
from onnx import helper, numpy_helper

MODULES = {
    "Conv": {1: torch.nn.Conv1d, 2: torch.nn.Conv2d},
    "MaxPool": {1: torch.nn.MaxPool1d},
    "AveragePool": {1: torch.nn.AvgPool1d},
}


class Twin(torch.nn.Module):
    """Maps inputs `[batch, ...]` to the first value of the output, `[batch, 1]`."""

    def __init__(self, graph, output):
        super().__init__()
        self.input, self.output = graph.input[0].name, output
        weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self.steps = torch.nn.ModuleList(to_module(node, weights) for node in graph.node)
        self.wiring = [([name for name in node.input if name not in weights], node.output[0]) for node in graph.node]

    def forward(self, x):
        values = {self.input: x}
        for step, (inputs, output) in zip(self.steps, self.wiring):
            # Each layer reads a view of its own: Captum 0.9 hooks tensors, and where one tensor is both the output of a
            # rectifier and the input of a max-pool, the rectifier gets the multipliers before the pool has set them.
            values[output] = step(*(values[name].view_as(values[name]) for name in inputs))
        return values[self.output][:, :1]


class Add(torch.nn.Module):
    def forward(self, x, y):
        return x + y


class Crop(torch.nn.Module):
    def __init__(self, start, end):
        super().__init__()
        self.start, self.end = start, end

    def forward(self, x):
        return x[:, :, self.start : self.end]


class MeanOfPositions(torch.nn.Module):
    def forward(self, x):
        return x.mean(dim=2)


def to_module(node, weights):
    attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    constants = [weights[name] for name in node.input if name in weights]
    if node.op_type == "Relu":
        return torch.nn.ReLU()
    if node.op_type == "Flatten":
        return torch.nn.Flatten()
    if node.op_type == "Add":
        return Add()
    if node.op_type == "Slice":
        starts, ends, axes = constants
        assert axes.tolist() == [2]
        return Crop(int(starts[0]), int(ends[0]))
    if node.op_type == "ReduceMean":
        assert constants[0].tolist() == [2] and attributes["keepdims"] == 0
        return MeanOfPositions()
    if node.op_type == "Gemm":
        weight, bias = constants
        assert attributes["transB"] == 1
        return with_weights(torch.nn.Linear(weight.shape[1], weight.shape[0]), weight, bias)
    kind = MODULES[node.op_type][len(attributes["kernel_shape"])]
    if node.op_type != "Conv":
        return kind(attributes["kernel_shape"], attributes["strides"])
    weight, bias = constants
    pads = attributes["pads"][: weight.ndim - 2]
    assert attributes["pads"] == pads * 2 and attributes["group"] == 1
    layer = kind(
        weight.shape[1],
        weight.shape[0],
        attributes["kernel_shape"],
        stride=attributes["strides"],
        padding=pads,
        dilation=attributes["dilations"],
    )
    return with_weights(layer, weight, bias)


def with_weights(layer, weight, bias):
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight.copy()))
        layer.bias.copy_(torch.from_numpy(bias.copy()))
    return layer.requires_grad_(False)


if __name__ == "__main__":
    from twin import Twin  # so that the pickle names the module, not __main__

    model, output, path = sys.argv[1:]
    torch.save(Twin(onnx.load(model).graph, output).eval(), path)
