/**
 * Reads an ONNX file, with the weights stored beside it, into the wire model.
 *
 * Only what makes the file readable is decided here: encoding, versions, features and domains that no operator
 * could support, and where weights lie. Whether the graph makes sense is decided in native code.
 */

import { DeepLiftError } from '../errors.js'
import { readAttribute } from './attribute.js'
import { decode, notOnnx, readFile } from './decode.js'
import { dtypeName, elementType } from './dtype.js'
import { readExternalData } from './external.js'
import { type Int64, toNumber } from './int64.js'
import { lookalike } from './lookalike.js'
import type { onnx } from './onnx.generated.js'
import { readTensor, type TensorContext } from './tensor.js'
import { readValue } from './value.js'
import type { WireModel, WireNode, WireTensor } from './wire.js'

const IR_VERSIONS = { min: 3, max: 13 }
const OPSETS = { min: 7, max: 25 }

/**
 * @param source path of the model, or its bytes (which the result may go on viewing)
 * @throws DeepLiftError
 * - INVALID_INPUT: `source` is neither a path nor a Uint8Array
 * - FILE_NOT_FOUND: the path cannot be opened
 * - INVALID_MODEL: not ONNX, truncated, or a tensor whose data does not fit its shape
 * - UNSUPPORTED_MODEL: a version, type or feature that is not read
 * - UNSUPPORTED_OP: a node outside the standard operator set
 * - EXTERNAL_DATA: weights beside the model missing, truncated or out of bounds; or `source` is bytes
 */
export async function readOnnx(source: string | Uint8Array): Promise<WireModel> {
  if (typeof source !== 'string' && !(source instanceof Uint8Array)) {
    throw new DeepLiftError(
      'INVALID_INPUT',
      `model: expected a path or a Uint8Array, found ${source === null ? 'null' : typeof source}`,
    )
  }
  const isPath = typeof source === 'string'
  const name = isPath ? source : '<bytes>'
  const { proto, bytes, stored } = isPath
    ? await decodeFile(source)
    : { proto: decode(source, name), bytes: source, stored: new Map() }
  const context: TensorContext = { source: name, bytes, stored, external: [] }
  const model = readModel(proto, context)
  if (context.external.length > 0) {
    if (!isPath) {
      const { what, location, tensor } = context.external[0]!
      throw new DeepLiftError(
        'EXTERNAL_DATA',
        `${name}: ${what} is stored in a side file ("${location}"), which bytes alone cannot locate: ` +
          'pass the path of the model instead',
        { details: { source: name, tensor: tensor.name, file: location } },
      )
    }
    await readExternalData(source, context.external)
  }
  return model
}

/** Large values stay in the file. What is wrong with a file is said of the whole of it. */
async function decodeFile(path: string) {
  const file = await readFile(path)
  if (file.stored.size > 0) {
    try {
      return { proto: decode(file.bytes, path), ...file }
    } catch (error) {
      if (!(error instanceof DeepLiftError) || error.code !== 'INVALID_MODEL') throw error
    }
  }
  const whole = file.stored.size > 0 ? await readFile(path, { whole: true }) : file
  return { proto: decode(whole.bytes, path), ...whole }
}

function readModel(proto: onnx.ModelProto.$Shape, context: TensorContext): WireModel {
  const { source, bytes } = context
  const irVersion = toNumber(proto.irVersion as Int64)
  if (irVersion === 0 || proto.graph == null) {
    const lacks = irVersion === 0 ? 'IR version' : 'graph'
    throw notOnnx(bytes, source, `not an ONNX model: it has no ${lacks}`)
  }
  if (!(irVersion >= IR_VERSIONS.min && irVersion <= IR_VERSIONS.max)) {
    // A foreign file may decode all the same, with a nonsense version.
    if (lookalike(bytes, source)) throw notOnnx(bytes, source)
    throw unsupportedVersion(source, 'ONNX IR version', irVersion, IR_VERSIONS)
  }
  const opset = defaultOpset(proto, source)
  refuseFeatures(proto, source)

  const { graph } = proto
  const nodes = (graph.node ?? []).map((node, index) => readNode(node, index, context))
  const outputs = (graph.output ?? []).map((value) => readValue(value, 'output', source))
  if (outputs.length === 0) {
    throw new DeepLiftError('INVALID_MODEL', `${source}: the graph has no outputs`, { details: { source } })
  }
  const stored = new Set((graph.initializer ?? []).map((tensor) => tensor.name ?? ''))
  return {
    irVersion,
    opset,
    producer: `${proto.producerName ?? ''} ${proto.producerVersion ?? ''}`.trim(),
    // Files of IR version 3 list initialisers among the inputs.
    inputs: (graph.input ?? [])
      .filter((value) => !stored.has(value.name ?? ''))
      .map((value) => readValue(value, 'input', source)),
    outputs,
    nodes,
    initializers: readInitializers(graph, nodes, context),
    source,
  }
}

function defaultOpset(proto: onnx.ModelProto.$Shape, source: string): number {
  const versions = (proto.opsetImport ?? [])
    .filter(({ domain }) => isStandard(domain))
    .map(({ version }) => toNumber(version as Int64))
  if (versions.length === 0) {
    throw new DeepLiftError(
      'INVALID_MODEL',
      `${source}: the model states no version of the ai.onnx operator set`,
      {
        details: { source },
      },
    )
  }
  const wrong = versions.find((version) => !(version >= OPSETS.min && version <= OPSETS.max))
  if (wrong !== undefined) throw unsupportedVersion(source, 'opset', wrong, OPSETS)
  if (new Set(versions).size > 1) {
    throw new DeepLiftError(
      'INVALID_MODEL',
      `${source}: the model states several opsets, ${versions.join(' and ')}`,
      {
        details: { source, versions },
      },
    )
  }
  return versions[0]!
}

function unsupportedVersion(
  source: string,
  what: string,
  found: number,
  { min, max }: { min: number; max: number },
): DeepLiftError {
  const advice =
    found > max
      ? 'export the model again with a lower opset_version, or upgrade deeplift'
      : 'export the model again, or convert it with onnx.version_converter'
  return new DeepLiftError(
    'UNSUPPORTED_MODEL',
    `${source}: ${what} ${found}; expected ${min} to ${max}: ${advice}`,
    { details: { source, found, min, max } },
  )
}

function refuseFeatures(proto: onnx.ModelProto.$Shape, source: string): void {
  const refuse = (message: string) =>
    new DeepLiftError('UNSUPPORTED_MODEL', `${source}: ${message}`, { details: { source } })
  const [fn] = proto.functions ?? []
  if (fn !== undefined) {
    throw refuse(
      `the model has ${proto.functions?.length} local functions (the first is "${fn.name}" of "${fn.domain}"): ` +
        'export with torch.onnx.export(…, optimize=True), or inline them with onnx.inliner.inline_local_functions',
    )
  }
  if (proto.graph?.sparseInitializer?.length) {
    throw refuse('the graph has sparse initialisers: save the weights as dense tensors')
  }
  if (proto.trainingInfo?.length) {
    throw refuse('the file has training information: export the model for inference')
  }
}

function isStandard(domain: string | null | undefined): boolean {
  return !domain || domain === 'ai.onnx'
}

function readNode(proto: onnx.NodeProto.$Shape, index: number, context: TensorContext): WireNode {
  const opType = proto.opType ?? ''
  const name = proto.name || `${opType}_${index}`
  if (!isStandard(proto.domain)) {
    const { source } = context
    const domain = proto.domain ?? ''
    throw new DeepLiftError(
      'UNSUPPORTED_OP',
      `${source}: node "${name}" (${opType}) belongs to domain "${domain}", ` +
        `but only ai.onnx operators have rules: ${adviceFor(domain)}`,
      { details: { source, node: name, opType, domain } },
    )
  }
  return {
    name,
    opType,
    domain: '',
    inputs: proto.input ?? [],
    outputs: proto.output ?? [],
    attributes: (proto.attribute ?? []).map((attribute) =>
      readAttribute(attribute, `node "${name}" (${opType})`, context),
    ),
  }
}

function adviceFor(domain: string): string {
  if (domain.startsWith('com.microsoft')) {
    return 'this file was optimised by ONNX Runtime; give the file as the exporter wrote it'
  }
  if (domain === 'ai.onnx.ml') return 'tree ensembles, SVMs and the like are not differentiable networks'
  if (domain.startsWith('ai.onnx.')) return 'export the model for inference, without training operators'
  if (domain.includes('torch') || domain.startsWith('pkg.'))
    return 'export with torch.onnx.export(…, optimize=True)'
  return 'export the model with standard operators'
}

/** Tensors of a type that is not read (labels as strings, say) are an error only where something uses them. */
function readInitializers(
  graph: onnx.GraphProto.$Shape,
  nodes: readonly WireNode[],
  context: TensorContext,
): WireTensor[] {
  const { source } = context
  const used = new Set(nodes.flatMap((node) => node.inputs))
  for (const output of graph.output ?? []) used.add(output.name ?? '')
  const seen = new Set<string>()
  const tensors: WireTensor[] = []
  for (const proto of graph.initializer ?? []) {
    const name = proto.name ?? ''
    if (seen.has(name)) {
      throw new DeepLiftError('INVALID_MODEL', `${source}: two initialisers are called "${name}"`, {
        details: { source, tensor: name },
      })
    }
    seen.add(name)
    const dtype = proto.dataType ?? 0
    if (dtype !== 0 && elementType(dtype) === undefined) {
      if (!used.has(name)) continue
      const user = nodes.find((node) => node.inputs.includes(name))
      throw new DeepLiftError(
        'UNSUPPORTED_MODEL',
        `${source}: initialiser "${name}", used by ${user ? `node "${user.name}" (${user.opType})` : 'a graph output'}, ` +
          `has element type ${dtypeName(dtype)}; expected a float, half, integer or bool type`,
        { details: { source, tensor: name, dtype } },
      )
    }
    tensors.push(readTensor(proto, `initialiser "${name}"`, context))
  }
  return tensors
}
