import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { onnx } from '../../src/onnx/onnx.generated.js'

test('the generated module is what onnx.proto generates', () => {
  const script = fileURLToPath(new URL('../../scripts/generate-onnx.mjs', import.meta.url))
  expect(() => execFileSync(process.execPath, [script, '--check'], { stdio: 'pipe' })).not.toThrow()
})

test('the generated module can decode and nothing else', () => {
  const statics = Object.keys(onnx.TensorProto)
  expect(statics.filter((name) => /^[a-z]/.test(name))).toEqual(['decode'])
})
