/** Names the format of a file that was given in place of an ONNX model, from its first bytes and its name. */

interface Lookalike {
  is: (head: Buffer, name: string) => boolean
  says: string
}

const starts = (text: string, at = 0) => {
  const magic = Buffer.from(text, 'latin1')
  return (head: Buffer) => head.subarray(at, at + magic.length).equals(magic)
}
const isZip = starts('PK\x03\x04')

/** Enough to see the name of a zip archive's first entries. */
const HEAD_BYTES = 4096

const LOOKALIKES: readonly Lookalike[] = [
  {
    is: starts('\x89HDF\r\n\x1a\n'),
    says: 'an HDF5 file (Keras weights or model?): export it with `model.export(path, format="onnx")` or tf2onnx',
  },
  {
    is: (head, name) =>
      isZip(head) &&
      (name.endsWith('.keras') || head.includes('metadata.json') || head.includes('.weights.h5')),
    says: 'a Keras archive (.keras): export it with `model.export(path, format="onnx")` or tf2onnx',
  },
  {
    is: (head) => isZip(head) && head.includes('.npy'),
    says: 'a NumPy archive (.npz), not a model',
  },
  {
    is: (head, name) => isZip(head) && (/\.(pt|pth|ckpt|bin)$/.test(name) || head.includes('data.pkl')),
    says: 'a PyTorch checkpoint: load it in PyTorch and write it with `torch.onnx.export`',
  },
  { is: isZip, says: 'a zip archive: unpack it and give the .onnx file inside' },
  {
    is: (head) => head[0] === 0x80 && head[1]! >= 2 && head[1]! <= 5,
    says: 'a Python pickle (an older PyTorch checkpoint?): load it in Python and write it with `torch.onnx.export`',
  },
  {
    is: starts('version https://git-lfs'),
    says: 'a Git LFS pointer, not the file it points to: run `git lfs pull`',
  },
  { is: starts('\x1f\x8b'), says: 'a gzip file: decompress it first' },
  { is: starts('TFL3', 4), says: 'a TensorFlow Lite model: export the original model with tf2onnx' },
  { is: starts('ORTM', 4), says: 'an ONNX Runtime .ort file: give the .onnx file that it was made from' },
  { is: starts('\x93NUMPY'), says: 'a NumPy array (.npy), not a model' },
  {
    is: (head) => head[8] === 0x7b && head.readBigUInt64LE(0) < 100_000_000n && head.includes('data_offsets'),
    says: 'a safetensors file, which holds weights without a graph: export the model itself to ONNX',
  },
  {
    is: (head) => /^\s*(<!doctype|<html|<\?xml)/i.test(head.toString('latin1')),
    says: 'a web page, perhaps a failed download',
  },
  { is: (head) => /^\s*\{/.test(head.toString('latin1')), says: 'a JSON file' },
  {
    is: (_, name) => name.endsWith('.pb'),
    says: 'a TensorFlow graph (.pb): convert it with tf2onnx',
  },
]

/** For example 'an HDF5 file …', or undefined when the bytes resemble nothing known. */
export function lookalike(bytes: Uint8Array, name: string): string | undefined {
  const head = Buffer.from(bytes.subarray(0, HEAD_BYTES))
  if (head.length < 9) return undefined
  return LOOKALIKES.find(({ is }) => is(head, name.toLowerCase()))?.says
}
