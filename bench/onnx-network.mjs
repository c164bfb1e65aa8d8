// A network with seeded random weights, built layer by layer into an ONNX model.
//
// Weights are He-uniform, U(-sqrt(6 / fan-in), sqrt(6 / fan-in)), less the mean of each filter: signals keep their
// size through ReLU layers, and the positive mean of their outputs does not pile up into an offset beside which the
// dependence on the input would be lost to rounding. About half of all rectifiers are on, more than in trained
// networks.
import { fileURLToPath } from 'node:url'
import protobuf from 'protobufjs'

const SCHEMA = fileURLToPath(new URL('../src/onnx/onnx.proto', import.meta.url))
const SEED = 20170417
const IR_VERSION = 10
const OPSET = 20
const FLOAT = 1
const INT64 = 7
const ATTRIBUTE_INT = 2
const ATTRIBUTE_INTS = 7
const BIAS_BOUND = 0.1

/** Uniform numbers in [0, 1): mulberry32, which is enough for weights and inputs that mean nothing. */
export function generator(seed) {
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
 * [channels, positions], [channels, height, width] or [features].
 */
export class Network {
  #random = generator(SEED)
  #nodes = []
  #initializers = []
  #outputs = []
  #input
  /** Of one forward pass of one example: 2 per multiply-add of convolutions and dense layers. */
  flop = 0

  input(name, dims) {
    this.#input = { name, dims }
    return this.#input
  }

  output(value, name) {
    // The node that makes the value takes the output's name: an Identity node would be one more to run.
    const node = this.#nodes.find(({ output }) => output[0] === value.name)
    node.output[0] = name
    this.#outputs.push({ ...value, name })
  }

  /** Kernels are as wide, spaced and stepped along every spatial axis. `same` pads so that positions stay. */
  conv(x, filters, width, { dilation = 1, stride = 1, same = false } = {}) {
    const [channels, ...spatial] = x.dims
    const along = (value) => spatial.map(() => value)
    const reach = dilation * (width - 1)
    const pad = same ? reach / 2 : 0
    const sizes = spatial.map((positions) => Math.floor((positions + 2 * pad - reach - 1) / stride) + 1)
    const attributes = {
      kernel_shape: along(width),
      dilations: along(dilation),
      strides: along(stride),
      pads: [...along(pad), ...along(pad)],
      group: 1,
    }
    const weight = [filters, channels, ...along(width)]
    this.flop += 2 * product(sizes) * product(weight)
    return this.#node('Conv', [x.name, ...this.#weights(weight)], [filters, ...sizes], attributes)
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
    return this.#node('Flatten', [x.name], [product(x.dims)], { axis: 1 })
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

  /** The bytes of the model. */
  encode(name) {
    const model = {
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
    return protobuf.loadSync(SCHEMA).lookupType('onnx.ModelProto').encode(model).finish()
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
    const fanIn = product(dims.slice(1))
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

export function product(sizes) {
  return sizes.reduce((total, size) => total * size, 1)
}
