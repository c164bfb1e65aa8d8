// The networks that are timed: whole ones as published, with random weights, and single layers.
//
// Each is `{ name, input, output, sequences, references, samples, build }`: its input `[channels, ...]` without the
// batch axis, the output whose first value is explained, how many examples and references one measured call takes,
// how often at least it is called per round, and how it is built; `letters` where inputs are one-hot sequences, `pools`
// where there are max-pools. Calls of the large ones take seconds, so they get
// fewer pairs.
import { Network } from './onnx-network.mjs'

/** Columns of the last layer that BPNet's cropped profile of 1000 positions depends on, with a kernel of 75. */
const SEEN_COLUMNS = 1000 + 75 - 1

/** One forward pass, in GFLOP: genomics 0.0107, Basset 0.298, DeepSEA 1.099, Beluga 7.80, BPNet 0.438, ChromBPNet
 * 26.78, MNIST 0.0022. */
export const NETWORKS = [
  sequenceNetwork('genomics', 200, 'logits', genomics, { sequences: 8 }),
  sequenceNetwork('basset', 600, 'logits', basset, { pools: true }),
  sequenceNetwork('deepsea', 1000, 'logits', deepsea, { pools: true, samples: 1 }),
  sequenceNetwork('beluga', 2000, 'logits', beluga, { pools: true, references: 8, samples: 1 }),
  sequenceNetwork('bpnet-counts', 2114, 'counts', (x, net) => bpnet(x, net, 64)),
  sequenceNetwork('chrombpnet', 2114, 'counts', (x, net) => bpnet(x, net, 512), {
    sequences: 1,
    references: 4,
    samples: 1,
  }),
  { ...network('mnist', 'image', [1, 28, 28], 'logits', mnist), sequences: 32 },
]

/**
 * One layer each, followed by what makes one value of it: the mean over positions and a dense layer of one output,
 * which are small beside the layer.
 */
export const KERNELS = [
  kernel('first-conv', [4, 2114], (x, net) => net.relu(net.conv(x, 64, 21))),
  kernel('dilated-conv-64', [64, 2114], (x, net) =>
    net.relu(net.conv(x, 64, 3, { dilation: 16, same: true })),
  ),
  kernel(
    'dilated-conv-512',
    [512, 1000],
    (x, net) => net.relu(net.conv(x, 512, 3, { dilation: 16, same: true })),
    {
      sequences: 1,
      references: 8,
      samples: 1,
    },
  ),
  kernel('basset-conv2', [300, 194], (x, net) => net.relu(net.conv(x, 200, 11))),
  kernel('max-pool', [64, 2112], (x, net) => net.maxPool(x, 4)),
  { ...network('dense-1000', 'values', [1000], 'value', dense), sequences: 32 },
]

function network(name, inputName, input, output, layers) {
  const build = () => {
    const net = new Network()
    layers(net.input(inputName, input), net)
    return net
  }
  return { name, inputName, input, output, sequences: 2, references: 20, samples: 4, build }
}

function sequenceNetwork(name, length, output, layers, sizes = {}) {
  return { ...network(name, 'sequence', [4, length], output, layers), letters: true, ...sizes }
}

function kernel(name, input, layer, sizes = {}) {
  const layers = (x, net) => net.output(net.dense(net.mean(layer(x, net)), 1), 'value')
  return { ...network(name, 'values', input, 'value', layers), ...sizes }
}

/** The genomics network of the DeepLIFT paper. */
function genomics(x, net) {
  for (let i = 0; i < 2; i++) x = net.relu(net.conv(x, 50, 11))
  x = net.flatten(net.averagePool(x, x.dims[1]))
  x = net.relu(net.dense(x, 50))
  net.output(net.dense(x, 3), 'logits')
}

/** Basset (Kelley et al. 2016) without BatchNorm. */
function basset(x, net) {
  x = net.maxPool(net.relu(net.conv(x, 300, 19)), 3)
  x = net.maxPool(net.relu(net.conv(x, 200, 11)), 4)
  x = net.maxPool(net.relu(net.conv(x, 200, 7)), 4)
  x = net.flatten(x)
  for (let i = 0; i < 2; i++) x = net.relu(net.dense(x, 1000))
  net.output(net.dense(x, 164), 'logits')
}

/** DeepSEA (Zhou and Troyanskaya 2015). */
function deepsea(x, net) {
  x = net.maxPool(net.relu(net.conv(x, 320, 8)), 4)
  x = net.maxPool(net.relu(net.conv(x, 480, 8)), 4)
  x = net.flatten(net.relu(net.conv(x, 960, 8)))
  x = net.relu(net.dense(x, 925))
  net.output(net.dense(x, 919), 'logits')
}

/** Beluga, the network of ExPecto (Zhou et al. 2018). */
function beluga(x, net) {
  for (const filters of [320, 480, 640]) {
    for (let i = 0; i < 2; i++) x = net.relu(net.conv(x, filters, 8))
    if (filters < 640) x = net.maxPool(x, 4)
  }
  x = net.relu(net.dense(net.flatten(x), 2003))
  net.output(net.dense(x, 2002), 'logits')
}

/**
 * BPNet (Avsec et al. 2021), and with 512 filters ChromBPNet without its bias network. Only the counts head: a
 * runtime computes every output of a model, so times per counts score may not pay for a profile.
 */
function bpnet(x, net, filters) {
  x = net.relu(net.conv(x, filters, 21, { same: true }))
  for (let dilation = 2; dilation <= 256; dilation *= 2) {
    x = net.add(x, net.relu(net.conv(x, filters, 3, { dilation, same: true })))
  }
  net.output(net.dense(net.mean(net.crop(x, SEEN_COLUMNS)), 1), 'counts')
}

/** The all-convolutional network for digits of the DeepLIFT paper: strides instead of pools. */
function mnist(x, net) {
  x = net.relu(net.conv(x, 32, 4, { stride: 2 }))
  x = net.relu(net.conv(x, 64, 4, { stride: 2 }))
  x = net.relu(net.dense(net.flatten(x), 128))
  net.output(net.dense(x, 10), 'logits')
}

function dense(x, net) {
  net.output(net.dense(net.relu(net.dense(x, 1000)), 1), 'value')
}
