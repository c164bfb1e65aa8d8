"""Trains the demo's CNN on simulated sequences and writes model.onnx and evaluation.json beside itself.

The architecture is the genomics network of the DeepLIFT paper (appendix F): two convolutions, one average
over all positions, one hidden dense layer, three logits. The sigmoid stays outside, because DeepLIFT
explains logits. Input `sequence` float32 [batch, 4, 200], channels A, C, G, T; output `logits` [batch, 3],
in the order of simulate.TASKS.
"""

import json
import time
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx.reference import ReferenceEvaluator
from torch import nn

from simulate import LENGTH, SEED, TASKS, TEST_COUNT, one_hot, simulate

TRAIN_COUNT = 20_000
VALIDATION_COUNT = 2_000
EPOCHS = 12
BATCH = 64
PEAK_LEARNING_RATE = 3e-3
# Each test AUROC must exceed this before anything is written. An ideal detector, which knows the true
# matrices, reaches 0.98 to 0.99.
REQUIRED_AUROC = 0.95
# Sequences of the test set whose logits evaluation.json records, to check other runtimes against.
RECORDED = 8
# Float sums depend on how work is split over threads: a fixed number makes a rerun on the same kind of
# machine give the same weights.
THREADS = 2


class MotifCnn(nn.Module):
    def __init__(self, filters=50, width=11):
        super().__init__()
        positions = LENGTH - 2 * (width - 1)
        self.features = nn.Sequential(
            nn.Conv1d(4, filters, width),
            nn.ReLU(),
            nn.Conv1d(filters, filters, width),
            nn.ReLU(),
            nn.AvgPool1d(positions),
            nn.Flatten(),
        )
        self.head = nn.Sequential(nn.Linear(filters, 50), nn.ReLU(), nn.Linear(50, len(TASKS)))

    def forward(self, sequence):
        return self.head(self.features(sequence))


def load(split, count):
    examples = simulate(split, count)
    labels = np.array([example.labels for example in examples], dtype=np.float32)
    return torch.from_numpy(one_hot(examples)), torch.from_numpy(labels)


def auroc(labels, scores):
    """Probability that a random positive scores above a random negative, ties counting one half."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives = labels == 1
    wins = ranks[positives].sum() - positives.sum() * (positives.sum() + 1) / 2
    return float(wins / (positives.sum() * (~positives).sum()))


def evaluate(model, sequences, labels):
    """Logits [n, tasks] and the AUROC of each task."""
    model.eval()
    with torch.inference_mode():
        logits = torch.cat([model(batch) for batch in sequences.split(500)]).numpy()
    return logits, [auroc(labels[:, t].numpy(), logits[:, t]) for t in range(len(TASKS))]


def train(model, sequences, labels, validation):
    steps = EPOCHS * -(-len(sequences) // BATCH)
    optimiser = torch.optim.Adam(model.parameters(), lr=PEAK_LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_LEARNING_RATE, total_steps=steps)
    loss_of = nn.BCEWithLogitsLoss()
    shuffle = torch.Generator().manual_seed(SEED)
    started = time.monotonic()
    for epoch in range(1, EPOCHS + 1):
        model.train()
        total = 0.0
        for rows in torch.randperm(len(sequences), generator=shuffle).split(BATCH):
            optimiser.zero_grad()
            loss = loss_of(model(sequences[rows]), labels[rows])
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item() * len(rows)
        _, aurocs = evaluate(model, *validation)
        shown = " ".join(f"{task} {value:.4f}" for task, value in zip(TASKS, aurocs))
        print(f"epoch {epoch:2d}  loss {total / len(sequences):.4f}  AUROC {shown}  {time.monotonic() - started:.0f} s", flush=True)


def strip_provenance(proto):
    """Drops what the exporter notes about the machine it ran on (stack traces with file paths)."""
    for part in (proto, proto.graph, *proto.graph.node, *proto.graph.value_info, *proto.graph.initializer,
                 *proto.graph.input, *proto.graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


def export(model, path):
    """Writes one self-contained file with a free batch axis."""
    batch = torch.export.Dim("batch", min=1)
    torch.onnx.export(
        model,
        (torch.zeros(2, 4, LENGTH),),
        path,
        input_names=["sequence"],
        output_names=["logits"],
        opset_version=20,
        dynamo=True,
        dynamic_shapes={"sequence": {0: batch}},
        external_data=False,
    )
    proto = onnx.load(path)
    strip_provenance(proto)
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, path)


def main():
    folder = Path(__file__).resolve().parent
    torch.manual_seed(SEED)
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    model = MotifCnn()
    train(model, *load("train", TRAIN_COUNT), load("validation", VALIDATION_COUNT))

    sequences, labels = load("test", TEST_COUNT)
    logits, aurocs = evaluate(model, sequences, labels)
    for task, value in zip(TASKS, aurocs):
        print(f"test AUROC {task}: {value:.4f}")
        if not value > REQUIRED_AUROC:
            raise SystemExit(f"test AUROC of task {task} is {value:.4f}, but more than {REQUIRED_AUROC} is required; nothing was written")

    path = folder / "model.onnx"
    export(model, path)
    (written,) = ReferenceEvaluator(str(path)).run(None, {"sequence": sequences[:RECORDED].numpy()})
    np.testing.assert_allclose(written, logits[:RECORDED], rtol=1e-5, atol=1e-5)

    # One row per line, as the repository's formatter keeps it.
    rows = [f'    "seq{i + 1:04d}": {json.dumps([round(float(v), 6) for v in logits[i]])}' for i in range(RECORDED)]
    recorded = ",\n".join(rows)
    measured = json.dumps({task: round(value, 5) for task, value in zip(TASKS, aurocs)})[1:-1]
    (folder / "evaluation.json").write_text(
        f'{{\n  "tasks": {json.dumps(list(TASKS))},\n  "testAuroc": {{ {measured} }},\n'
        f'  "logits": {{\n{recorded}\n  }}\n}}\n'
    )


if __name__ == "__main__":
    main()
