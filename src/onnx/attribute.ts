/** AttributeProto to wire attribute. */

import { elementType } from './dtype.js'
import { type Int64, toInt64Array } from './int64.js'
import { onnx } from './onnx.generated.js'
import { readTensor, type TensorContext } from './tensor.js'
import type { WireAttribute } from './wire.js'

const Type = onnx.AttributeProto.AttributeType
const UTF8 = new TextDecoder()

/**
 * @param node how messages name the node
 * @throws DeepLiftError as {@link readTensor} does
 */
export function readAttribute(
  proto: onnx.AttributeProto.$Shape,
  node: string,
  context: TensorContext,
): WireAttribute {
  const attribute: WireAttribute = {
    name: proto.name ?? '',
    kind: 'other',
    floats: new Float32Array(0),
    ints: new BigInt64Array(0),
    strings: [],
  }
  // A reference to a function's attribute has a type but no value.
  if (proto.refAttrName) return attribute
  switch (proto.type || impliedType(proto)) {
    case Type.FLOAT:
      return { ...attribute, kind: 'float', floats: Float32Array.of(proto.f ?? 0) }
    case Type.INT:
      return { ...attribute, kind: 'int', ints: toInt64Array([(proto.i ?? 0) as Int64]) }
    case Type.STRING:
      return { ...attribute, kind: 'string', strings: [UTF8.decode(proto.s ?? new Uint8Array(0))] }
    case Type.FLOATS:
      return { ...attribute, kind: 'floats', floats: Float32Array.from(proto.floats ?? []) }
    case Type.INTS:
      return { ...attribute, kind: 'ints', ints: toInt64Array((proto.ints ?? []) as Int64[]) }
    case Type.STRINGS:
      return { ...attribute, kind: 'strings', strings: (proto.strings ?? []).map((s) => UTF8.decode(s)) }
    case Type.TENSOR:
      // A type that is not read stays 'other', so that the node is refused only where it is needed.
      if (proto.t == null || elementType(proto.t.dataType ?? 0) === undefined) return attribute
      return {
        ...attribute,
        kind: 'tensor',
        tensor: readTensor(proto.t, `${attribute.name} of ${node}`, context),
      }
    case Type.GRAPH:
    case Type.GRAPHS:
      return { ...attribute, kind: 'graph' }
    default:
      return attribute
  }
}

/** The type of an attribute that does not state it (IR version 1), read off the field that is set. */
function impliedType(proto: onnx.AttributeProto.$Shape): number {
  if (proto.f != null) return Type.FLOAT
  if (proto.i != null) return Type.INT
  if (proto.s != null) return Type.STRING
  if (proto.t != null) return Type.TENSOR
  if (proto.g != null || proto.graphs?.length) return Type.GRAPH
  if (proto.floats?.length) return Type.FLOATS
  if (proto.ints?.length) return Type.INTS
  if (proto.strings?.length) return Type.STRINGS
  return Type.UNDEFINED
}
