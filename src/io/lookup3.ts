/** Bob Jenkins' lookup3 hash (`hashlittle`), the checksum of HDF5 metadata: http://burtleburtle.net/bob/c/lookup3.c */

const rotate = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits))

export function lookup3(bytes: Uint8Array, seed = 0): number {
  let a = (0xdeadbeef + bytes.length + seed) | 0
  let b = a
  let c = a
  const word = (at: number): number => {
    let value = 0
    for (let byte = 0; byte < 4 && at + byte < bytes.length; byte++) value |= bytes[at + byte]! << (8 * byte)
    return value
  }
  let at = 0
  for (; bytes.length - at > 12; at += 12) {
    a = (a + word(at)) | 0
    b = (b + word(at + 4)) | 0
    c = (c + word(at + 8)) | 0
    a = ((a - c) | 0) ^ rotate(c, 4)
    c = (c + b) | 0
    b = ((b - a) | 0) ^ rotate(a, 6)
    a = (a + c) | 0
    c = ((c - b) | 0) ^ rotate(b, 8)
    b = (b + a) | 0
    a = ((a - c) | 0) ^ rotate(c, 16)
    c = (c + b) | 0
    b = ((b - a) | 0) ^ rotate(a, 19)
    a = (a + c) | 0
    c = ((c - b) | 0) ^ rotate(b, 4)
    b = (b + a) | 0
  }
  if (at === bytes.length) return c >>> 0
  // Bytes beyond the end count as zeros.
  a = (a + word(at)) | 0
  b = (b + word(at + 4)) | 0
  c = (c + word(at + 8)) | 0
  c = ((c ^ b) - rotate(b, 14)) | 0
  a = ((a ^ c) - rotate(c, 11)) | 0
  b = ((b ^ a) - rotate(a, 25)) | 0
  c = ((c ^ b) - rotate(b, 16)) | 0
  a = ((a ^ c) - rotate(c, 4)) | 0
  b = ((b ^ a) - rotate(a, 14)) | 0
  c = ((c ^ b) - rotate(b, 24)) | 0
  return c >>> 0
}
