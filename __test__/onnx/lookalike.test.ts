import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readOnnx } from '../../src/onnx/read.js'
import { expectError } from '../support/errors.js'
import { buildModel, node } from '../support/onnx-builder.js'

const folder = mkdtempSync(join(tmpdir(), 'deeplift-lookalike-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const latin1 = (text: string) => Buffer.from(text, 'latin1')
const zip = (entry: string) => latin1(`PK\x03\x04${'\0'.repeat(26)}${entry}${'\0'.repeat(50)}`)
const safetensors = () => {
  const header = '{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(BigInt(header.length))
  return Buffer.concat([size, latin1(header), Buffer.alloc(4)])
}

test.each<[string, Buffer, RegExp]>([
  ['model.h5', latin1(`\x89HDF\r\n\x1a\n${'\0'.repeat(64)}`), /HDF5.*tf2onnx/],
  ['model.keras', zip('config.json'), /Keras archive.*model\.export/],
  ['renamed.onnx', zip('metadata.json'), /Keras archive/],
  ['model.pt', zip('model/data.pkl'), /PyTorch checkpoint.*torch\.onnx\.export/],
  ['renamed2.onnx', zip('archive/data.pkl'), /PyTorch checkpoint/],
  ['scores.npz', zip('arr_0.npy'), /NumPy archive/],
  ['model.zip', zip('model.onnx'), /zip archive: unpack/],
  ['old.pth', latin1('\x80\x02}q\x00.\x00\x00\x00\x00'), /Python pickle/],
  [
    'pointer.onnx',
    latin1('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n'),
    /git lfs pull/,
  ],
  ['model.onnx.gz', latin1('\x1f\x8b\x08\0\0\0\0\0\0\0\0'), /gzip/],
  ['model.tflite', latin1('\x1c\0\0\0TFL3\0\0\0\0'), /TensorFlow Lite/],
  ['model.ort', latin1('\x1c\0\0\0ORTM\0\0\0\0'), /\.ort/],
  ['x.npy', latin1('\x93NUMPY\x01\0v\0{}'), /NumPy array/],
  ['model.safetensors', safetensors(), /safetensors/],
  ['page.onnx', latin1('<!DOCTYPE html><html></html>'), /web page/],
  ['model.json', latin1('{"class_name": "Functional"}'), /JSON/],
  // SavedModel and GraphDef are protobuf too: they decode in part, with nonsense for a version.
  ['saved_model.pb', latin1('\x08\x01\x12\x05\x0a\x03abc'), /TensorFlow graph/],
  ['frozen.pb', latin1('\x0a\x08\x0a\x01x\x12\x03Mul'), /TensorFlow graph/],
])('%s', async (name, bytes, pattern) => {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  await expectError(() => readOnnx(path), 'INVALID_MODEL', path, /expected an ONNX model, found/, pattern)
})

test('an empty file', async () => {
  const path = join(folder, 'empty.onnx')
  writeFileSync(path, '')
  await expectError(() => readOnnx(path), 'INVALID_MODEL', path, /empty \(0 bytes\)/)
})

test('bytes that resemble nothing, with the offset where they break', async () => {
  const error = await expectError(
    () => readOnnx(Buffer.from('\x08\x0a\x3a\x7f short', 'latin1')),
    'INVALID_MODEL',
    /breaks at byte \d+ of 10/,
    /truncated or damaged/,
  )
  expect(error.details).toMatchObject({ offset: 4 })
})

test('a readable model is read whatever its name', async () => {
  const path = join(folder, 'model.pb')
  writeFileSync(
    path,
    buildModel({ inputs: { x: [1] }, outputs: { y: [1] }, nodes: [node('Relu', ['x'], ['y'])] }),
  )
  expect((await readOnnx(path)).nodes).toHaveLength(1)
})
