/** CRC-32 of bytes whose beginning is known last: node:zlib counts checksums, and does not join them. */

const POLYNOMIAL = 0xedb88320
/** The polynomials 1 and x⁸: bit 31 is the coefficient of x⁰. */
const ONE = 0x80000000
const X8 = 0x00800000

/**
 * The checksum of two runs of bytes, one behind the other, from those of each.
 *
 * Checksums are remainders of polynomials: the first is moved over `length` bytes, that is multiplied by x^(8 length).
 */
export function joinChecksums(first: number, second: number, length: number): number {
  let shift = ONE
  for (let power = X8, rest = length; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) shift = multiply(shift, power)
    power = multiply(power, power)
  }
  return (multiply(shift, first) ^ second) >>> 0
}

/** The product of two remainders, modulo the polynomial of CRC-32. */
function multiply(a: number, b: number): number {
  let product = 0
  let shifted = b
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if (a & bit) product ^= shifted
    shifted = shifted & 1 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1
  }
  return product >>> 0
}
