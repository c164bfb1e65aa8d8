/** 64-bit integers as protobufjs decodes them (Long objects, or numbers) turned into exact JavaScript values. */

interface Halves {
  low: number
  high: number
}

/** An integer field of a decoded message. */
export type Int64 = number | Halves

/** The value as a number; NaN where a number cannot hold it exactly. */
export function toNumber(value: Int64 | null | undefined): number {
  if (value == null) return 0
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : Number.NaN
  const exact = value.high * 2 ** 32 + (value.low >>> 0)
  return Number.isSafeInteger(exact) ? exact : Number.NaN
}

/** Little-endian 64-bit elements, signed or unsigned alike. */
export function toInt64Bytes(values: readonly Int64[]): Uint8Array {
  const halves = new Int32Array(values.length * 2)
  values.forEach((value, i) => {
    const { low, high } = typeof value === 'number' ? split(value) : value
    halves[2 * i] = low
    halves[2 * i + 1] = high
  })
  return new Uint8Array(halves.buffer)
}

export function toInt64Array(values: readonly Int64[]): BigInt64Array {
  return new BigInt64Array(toInt64Bytes(values).buffer as ArrayBuffer)
}

function split(value: number): Halves {
  return { low: value | 0, high: Math.floor(value / 2 ** 32) }
}

/** The value as text, exact over the whole 64-bit range. */
export function int64Text(value: Int64): string {
  return String(toInt64Array([value])[0])
}
