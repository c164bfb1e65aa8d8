/** Files as exporters really write them. */
import { basename } from 'node:path'
import { describe, expect, test } from 'vitest'
import { elementType } from '../../src/onnx/dtype.js'
import { readOnnx } from '../../src/onnx/read.js'
import { sharedModels } from '../support/shared.js'

const models = ['zoo', 'zoo/external', 'conformance/models', 'paper'].flatMap(sharedModels)

describe.skipIf(models.length === 0)('shared models', () => {
  test.each(models.map((path) => [basename(path), path]))('%s', async (_, path) => {
    const model = await readOnnx(path)
    expect(model.inputs.length).toBeGreaterThan(0)
    for (const { dims, dtype, data, name } of model.initializers) {
      expect(data.length, name).toBe(dims.reduce((a, b) => a * b, elementType(dtype)!.size))
    }
    // Every name that a node reads is an input, an initialiser, or written by a node.
    const written = model.nodes.flatMap(({ outputs }) => outputs)
    const known = new Set([
      '',
      ...written,
      ...[...model.inputs, ...model.initializers].map(({ name }) => name),
    ])
    expect(model.nodes.flatMap(({ inputs }) => inputs).filter((name) => !known.has(name))).toEqual([])
    expect(new Set(model.nodes.map(({ name }) => name)).size).toBe(model.nodes.length)
  })
})
