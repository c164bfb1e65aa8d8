// Writes the networks of the benchmark, with seeded random weights, to bench/models/:
//
//   genomics.onnx      the DeepLIFT paper's genomics network            4 x 200   0.0107 GFLOP
//   basset.onnx        Basset (Kelley et al. 2016) without BatchNorm    4 x 600   0.298
//   bpnet.onnx         BPNet (Avsec et al. 2021), 64 filters            4 x 2114  0.459
//   bpnet-counts.onnx  the same network and weights, counts head only             0.438
//
// GFLOP is one forward pass of one sequence: 2 per multiply-add of convolutions and dense layers. A runtime
// computes every output of a model, so a comparison of times per counts score must use bpnet-counts.onnx.
//
// Input `sequence` float32 [batch, 4, length]. Weights are He-uniform, U(-sqrt(6 / fan-in), sqrt(6 / fan-in)),
// less the mean of each filter: signals keep their size through ReLU layers, and the positive mean of their
// outputs does not pile up into an offset beside which the dependence on the input would be lost to rounding.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import protobuf from 'protobufjs'

const SCHEMA = fileURLToPath(new URL('../src/onnx/onnx.proto', import.meta.url))
const FOLDER = fileURLToPath(new URL('models', import.meta.url))
const SEED = 20170417
const IR_VERSION = 10
const OPSET = 20
const FLOAT = 1
const INT64 = 7
const ATTRIBUTE_INT = 2
const ATTRIBUTE_INTS = 7
const BIAS_BOUND = 0.1

/** Uniform numbers in [0, 1): mulberry32, which is enough for weights that mean nothing. */
function generator(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * A graph under construction. Layers take and return values `{ name, dims }`, dims without the batch axis:
 * [channels, positions] or [features].
 */
class Network {
  #random = generator(SEED)
  #nodes = []
  #initializers = []
  #outputs = []
  #input
  flop = 0

  input(dims) {
    this.#input = { name: 'sequence', dims }
    return this.#input
  }

  output(value, name) {
    // The node that makes the value takes the output's name: an Identity node would be one more to run.
    const node = this.#nodes.find(({ output }) => output[0] === value.name)
    node.output[0] = name
    this.#outputs.push({ ...value, name })
  }

  conv(x, filters, width, { dilation = 1, same = false } = {}) {
    const [channels, positions] = x.dims
    const reach = dilation * (width - 1)
    const pads = same ? [reach / 2, reach / 2] : [0, 0]
    const length = positions + pads[0] + pads[1] - reach
    const attributes = { kernel_shape: [width], dilations: [dilation], strides: [1], pads, group: 1 }
    const inputs = [x.name, ...this.#weights([filters, channels, width])]
    this.flop += 2 * length * filters * channels * width
    return this.#node('Conv', inputs, [filters, length], attributes)
  }

  dense(x, features) {
    const inputs = [x.name, ...this.#weights([features, x.dims[0]])]
    this.flop += 2 * features * x.dims[0]
    return this.#node('Gemm', inputs, [features], { transB: 1 })
  }

  relu(x) {
    return this.#node('Relu', [x.name], x.dims)
  }

  add(x, y) {
    return this.#node('Add', [x.name, y.name], x.dims)
  }

  maxPool(x, width) {
    return this.#pool('MaxPool', x, width)
  }

  averagePool(x, width) {
    return this.#pool('AveragePool', x, width)
  }

  flatten(x) {
    return this.#node('Flatten', [x.name], [x.dims[0] * x.dims[1]], { axis: 1 })
  }

  /** The central `length` positions. */
  crop(x, length) {
    const start = (x.dims[1] - length) / 2
    const bounds = [[start], [start + length], [2]].map((values) => this.#integers(values))
    return this.#node('Slice', [x.name, ...bounds], [x.dims[0], length])
  }

  /** Mean over positions. */
  mean(x) {
    return this.#node('ReduceMean', [x.name, this.#integers([2])], [x.dims[0]], { keepdims: 0 })
  }

  /** The ModelProto as a plain object. */
  model(name) {
    return {
      irVersion: IR_VERSION,
      producerName: 'deeplift bench',
      opsetImport: [{ domain: '', version: OPSET }],
      graph: {
        name,
        node: this.#nodes,
        initializer: this.#initializers,
        input: [tensorInfo(this.#input)],
        output: this.#outputs.map(tensorInfo),
      },
    }
  }

  #pool(opType, x, width) {
    const [channels, positions] = x.dims
    const attributes = { kernel_shape: [width], strides: [width], pads: [0, 0] }
    return this.#node(opType, [x.name], [channels, Math.floor(positions / width)], attributes)
  }

  #node(opType, input, dims, attributes = {}) {
    const name = `${opType.toLowerCase()}_${this.#nodes.length}`
    const attribute = Object.entries(attributes).map(([key, value]) =>
      Array.isArray(value)
        ? { name: key, type: ATTRIBUTE_INTS, ints: value }
        : { name: key, type: ATTRIBUTE_INT, i: value },
    )
    this.#nodes.push({ name, opType, input, output: [name], attribute })
    return { name, dims }
  }

  /** A weight of these dims, output channels first, and its bias; returns both names. */
  #weights(dims) {
    const fanIn = dims.slice(1).reduce((product, size) => product * size, 1)
    const weight = this.#uniform(dims[0] * fanIn, Math.sqrt(6 / fanIn))
    for (let start = 0; start < weight.length; start += fanIn) {
      const filter = weight.subarray(start, start + fanIn)
      const mean = filter.reduce((sum, value) => sum + value, 0) / fanIn
      for (let i = 0; i < fanIn; i++) filter[i] -= mean
    }
    return [this.#floats(dims, weight), this.#floats([dims[0]], this.#uniform(dims[0], BIAS_BOUND))]
  }

  #uniform(count, bound) {
    return Float32Array.from({ length: count }, () => (2 * this.#random() - 1) * bound)
  }

  #floats(dims, values) {
    return this.#initializer(dims, FLOAT, new Uint8Array(values.buffer))
  }

  #integers(values) {
    return this.#initializer(
      [values.length],
      INT64,
      new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
    )
  }

  #initializer(dims, dataType, rawData) {
    const name = `tensor_${this.#initializers.length}`
    this.#initializers.push({ name, dims, dataType, rawData })
    return name
  }
}

function tensorInfo({ name, dims }) {
  const dim = [{ dimParam: 'batch' }, ...dims.map((size) => ({ dimValue: size }))]
  return { name, type: { tensorType: { elemType: FLOAT, shape: { dim } } } }
}

function genomics() {
  const net = new Network()
  let x = net.input([4, 200])
  for (let i = 0; i < 2; i++) x = net.relu(net.conv(x, 50, 11))
  x = net.flatten(net.averagePool(x, x.dims[1]))
  x = net.relu(net.dense(x, 50))
  net.output(net.dense(x, 3), 'logits')
  return net
}

function basset() {
  const net = new Network()
  let x = net.input([4, 600])
  x = net.maxPool(net.relu(net.conv(x, 300, 19)), 3)
  x = net.maxPool(net.relu(net.conv(x, 200, 11)), 4)
  x = net.maxPool(net.relu(net.conv(x, 200, 7)), 4)
  x = net.flatten(x)
  for (let i = 0; i < 2; i++) x = net.relu(net.dense(x, 1000))
  net.output(net.dense(x, 164), 'logits')
  return net
}

function bpnet({ profile }) {
  const filters = 64
  const profileLength = 1000
  const profileWidth = 75
  const net = new Network()
  let x = net.relu(net.conv(net.input([4, 2114]), filters, 21, { same: true }))
  for (let dilation = 2; dilation <= 256; dilation *= 2) {
    x = net.add(x, net.relu(net.conv(x, filters, 3, { dilation, same: true })))
  }
  // The counts head sees the columns that the cropped profile depends on.
  const seen = net.crop(x, profileLength + profileWidth - 1)
  net.output(net.dense(net.mean(seen), 1), 'counts')
  if (profile) net.output(net.crop(net.conv(x, 1, profileWidth, { same: true }), profileLength), 'profile')
  return net
}

const NETWORKS = {
  genomics,
  basset,
  bpnet: () => bpnet({ profile: true }),
  'bpnet-counts': () => bpnet({ profile: false }),
}

/**
 * Writes every network into `folder`, replacing what is there.
 * Returns `{ name, path, bytes, gflop }` of each.
 */
export function writeModels(folder = FOLDER) {
  const ModelProto = protobuf.loadSync(SCHEMA).lookupType('onnx.ModelProto')
  mkdirSync(folder, { recursive: true })
  return Object.entries(NETWORKS).map(([name, build]) => {
    const network = build()
    const encoded = ModelProto.encode(network.model(name)).finish()
    const path = join(folder, `${name}.onnx`)
    writeFileSync(path, encoded)
    return { name, path, bytes: encoded.length, gflop: network.flop / 1e9 }
  })
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const { name, bytes, gflop } of writeModels()) {
    console.log(`${name}.onnx  ${(bytes / 1e6).toFixed(2)} MB  ${gflop.toFixed(4)} GFLOP per forward pass`)
  }
}
