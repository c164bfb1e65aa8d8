/** IEEE 754 half precision, which JavaScript engines of Node 20 cannot hold in a typed array. */

const FLOAT = new Float32Array(1)
const BITS = new Uint32Array(FLOAT.buffer)

/** Exact: every half is a float32. */
export function float16ToFloat32(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length)
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i]!
    const sign = (half & 0x8000) << 16
    const magnitude = half & 0x7fff
    if (magnitude >= 0x7c00) bits[i] = sign | 0x7f800000 | ((magnitude & 0x3ff) << 13)
    else if (magnitude >= 0x0400) bits[i] = sign | ((magnitude << 13) + ((127 - 15) << 23))
    else {
      // Zero and subnormals are multiples of 2^-24.
      FLOAT[0] = magnitude * 2 ** -24
      bits[i] = sign | BITS[0]!
    }
  }
  return new Float32Array(bits.buffer)
}

/** To nearest, ties to even; beyond 65504 (by half a step or more) infinity. */
export function float32ToFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const halves = new Uint16Array(values.length)
  for (let i = 0; i < values.length; i++) {
    const sign = (bits[i]! >>> 16) & 0x8000
    const magnitude = bits[i]! & 0x7fffffff
    let half: number
    if (magnitude > 0x7f800000) half = 0x7e00
    else if (magnitude >= 0x477ff000) half = 0x7c00
    else if (magnitude >= 0x38800000) {
      // Adding 0xfff plus the bit that stays last rounds the 13 bits that go, ties to even.
      half = (magnitude - ((127 - 15) << 23) + 0xfff + ((magnitude >>> 13) & 1)) >>> 13
    } else {
      FLOAT[0] = Math.abs(values[i]!) * 2 ** 24
      half = roundHalfEven(FLOAT[0])
    }
    halves[i] = sign | half
  }
  return halves
}

function roundHalfEven(value: number): number {
  const below = Math.floor(value)
  const rest = value - below
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1
  return below % 2 === 0 ? below : below + 1
}
