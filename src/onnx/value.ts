/** ValueInfoProto (a graph input or output) to wire value. */

import { DeepLiftError } from '../errors.js'
import { type Int64, toNumber } from './int64.js'
import type { onnx } from './onnx.generated.js'
import type { WireValue } from './wire.js'

const NOT_TENSORS = {
  sequenceType: 'a sequence',
  mapType: 'a map',
  opaqueType: 'an opaque type',
  sparseTensorType: 'a sparse tensor',
  optionalType: 'an optional',
} as const

/**
 * @param role 'input' or 'output', for messages
 * @throws DeepLiftError UNSUPPORTED_MODEL when the value is not a tensor
 */
export function readValue(
  proto: onnx.ValueInfoProto.$Shape,
  role: 'input' | 'output',
  source: string,
): WireValue {
  const name = proto.name ?? ''
  for (const [field, noun] of Object.entries(NOT_TENSORS)) {
    if (proto.type?.[field as keyof typeof NOT_TENSORS] != null) {
      throw new DeepLiftError(
        'UNSUPPORTED_MODEL',
        `${source}: graph ${role} "${name}" is ${noun}; expected a tensor`,
        { details: { source, [role]: name } },
      )
    }
  }
  const tensor = proto.type?.tensorType
  const axes = tensor?.shape?.dim ?? []
  return {
    name,
    dtype: tensor?.elemType ?? 0,
    dims: axes.map(extent),
    dimNames: axes.map((axis) => axis.dimParam ?? ''),
    hasShape: tensor?.shape != null,
  }
}

/** Some exporters write an unknown extent as -1 instead of leaving it out. */
function extent({ dimValue }: onnx.TensorShapeProto.Dimension.$Shape): number {
  if (dimValue == null) return -1
  const value = toNumber(dimValue as Int64)
  return value >= 0 ? value : -1
}
