/**
 * TensorProto to wire tensor: shape and length are checked before anything is allocated, values keep their
 * bits, and raw_data stays a view of the file, or in the file.
 */

import { DeepLiftError } from '../errors.js'
import { dtypeName, type ElementType, elementType } from './dtype.js'
import { type ExternalRange, parseExternalRange } from './external.js'
import { type Int64, int64Text, toInt64Bytes, toNumber } from './int64.js'
import { onnx } from './onnx.generated.js'
import type { Stored } from './skeleton.js'
import type { WireTensor } from './wire.js'

export type TensorProto = onnx.TensorProto.$Shape

export interface TensorContext {
  /** Path or '<bytes>', for messages. */
  source: string
  /** What the model was decoded from. */
  bytes: Uint8Array
  /** Values that are not in `bytes`, by the place of what stands for them. */
  stored: ReadonlyMap<number, Stored>
  /** Ranges of side files, to be read once the whole model has been checked. */
  external: ExternalRange[]
}

/**
 * @param what how messages name the tensor, for example `initialiser "conv.weight"`
 * @throws DeepLiftError INVALID_MODEL, UNSUPPORTED_MODEL or EXTERNAL_DATA
 */
export function readTensor(proto: TensorProto, what: string, context: TensorContext): WireTensor {
  const { source } = context
  const dtype = proto.dataType ?? 0
  const type = elementType(dtype)
  if (type === undefined) {
    throw new DeepLiftError(
      dtype === 0 ? 'INVALID_MODEL' : 'UNSUPPORTED_MODEL',
      `${source}: ${what} has element type ${dtypeName(dtype)}; expected a float, half, integer or bool type`,
      { details: { source, tensor: proto.name, dtype } },
    )
  }
  if (proto.segment != null) {
    throw new DeepLiftError(
      'UNSUPPORTED_MODEL',
      `${source}: ${what} is stored in segments, which no current exporter writes; re-save the model with onnx.save`,
      { details: { source, tensor: proto.name } },
    )
  }
  const dims = readDims(proto, what, source)
  const count = dims.reduce((product, dim) => product * dim, 1)
  const byteLength = count * type.size
  if (!Number.isSafeInteger(byteLength)) {
    throw invalid(proto, source, `${what} has shape [${dims}], more elements than any file can hold`)
  }
  const tensor: WireTensor = { name: proto.name ?? '', dtype, dims, data: new Uint8Array(0) }
  if (proto.dataLocation === onnx.TensorProto.DataLocation.EXTERNAL) {
    context.external.push(parseExternalRange(tensor, what, proto.externalData ?? [], byteLength, source))
  } else {
    const raw = proto.rawData
    const stored = raw && context.stored.get(raw.byteOffset - context.bytes.byteOffset)
    tensor.data = embeddedData(proto, type, count, stored?.byteLength ?? raw?.length ?? 0, what, source)
    if (stored) tensor.stored = { path: source, offset: stored.offset }
  }
  return tensor
}

/** Far above any rank in use; keeps messages that print a shape short. */
const MAX_RANK = 64

function readDims(proto: TensorProto, what: string, source: string): number[] {
  const rank = proto.dims?.length ?? 0
  if (rank > MAX_RANK) throw invalid(proto, source, `${what} has ${rank} axes; expected at most ${MAX_RANK}`)
  return (proto.dims ?? []).map((dim, axis) => {
    const extent = toNumber(dim as Int64)
    // NaN is not >= 0 either.
    if (!(extent >= 0)) {
      const found = int64Text(dim as Int64)
      throw invalid(proto, source, `${what} has extent ${found} on axis ${axis}; expected 0 to 2^53 - 1`)
    }
    return extent
  })
}

const TYPED_FIELDS = ['floatData', 'int32Data', 'int64Data', 'doubleData', 'uint64Data'] as const

function embeddedData(
  proto: TensorProto,
  type: ElementType,
  count: number,
  rawLength: number,
  what: string,
  source: string,
): Uint8Array {
  const stray = TYPED_FIELDS.find((field) => proto[field]?.length && (rawLength > 0 || field !== type.field))
  if (stray !== undefined) {
    throw invalid(
      proto,
      source,
      `${what} of type ${dtypeName(proto.dataType ?? 0)} has values in ${stray}; expected them in ` +
        `${rawLength > 0 ? 'rawData, which is also present' : `rawData or ${type.field}`}`,
    )
  }
  const values = proto[type.field] ?? []
  if (rawLength > 0 || values.length === 0) {
    if (rawLength !== count * type.size) {
      throw invalid(
        proto,
        source,
        `${what} of shape [${proto.dims?.map((dim) => int64Text(dim as Int64))}] and type ` +
          `${dtypeName(proto.dataType ?? 0)} needs ${count * type.size} bytes, found ${rawLength}`,
      )
    }
    return proto.rawData ?? new Uint8Array(0)
  }
  if (values.length !== count) {
    throw invalid(proto, source, `${what} needs ${count} values, found ${values.length} in ${type.field}`)
  }
  return typedData(proto, type, values as Int64[], what, source)
}

function typedData(
  proto: TensorProto,
  { array: ArrayType, field }: ElementType,
  values: readonly Int64[],
  what: string,
  source: string,
): Uint8Array {
  if (ArrayType === undefined) return toInt64Bytes(values)
  const numbers = field === 'uint64Data' ? values.map(toNumber) : (values as readonly number[])
  const typed = ArrayType.from(numbers)
  if (field === 'int32Data' || field === 'uint64Data') {
    const wrapped = numbers.findIndex((value, i) => typed[i] !== value)
    if (wrapped >= 0) {
      const type = dtypeName(proto.dataType ?? 0)
      throw invalid(
        proto,
        source,
        `${what}: value ${numbers[wrapped]} at index ${wrapped} does not fit ${type}`,
      )
    }
  }
  return new Uint8Array(typed.buffer)
}

function invalid(proto: TensorProto, source: string, message: string): DeepLiftError {
  return new DeepLiftError('INVALID_MODEL', `${source}: ${message}`, {
    details: { source, tensor: proto.name },
  })
}
