import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCli } from '../support/cli.js'
import { DEMO_MODEL, sequenceModel } from '../support/models.js'
import { buildModel, node } from '../support/onnx-builder.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deeplift-inspect-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

async function file(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, bytes)
  return path
}

describe('inspect', () => {
  test('shows inputs, outputs, operators and the cost of the plan', async () => {
    const { code, stdout } = await runCli(['inspect', DEMO_MODEL])
    expect(code).toBe(0)
    expect(stdout).toContain('sequence  float32 [batch, 4, 200]')
    expect(stdout).toContain('logits  float32 [batch, 3]')
    expect(stdout).toContain('Relu ×3')
    expect(stdout).toMatch(/10\.7 MFLOP per pass/)
  })

  test('shows the rule of every node', async () => {
    const args = [
      'inspect',
      DEMO_MODEL,
      '--plan',
      '--target',
      'logits:1',
      '--rule',
      'genomics-default',
      '--json',
    ]
    const { code, stdout } = await runCli(args)
    expect(code).toBe(0)
    const { plan } = JSON.parse(stdout) as { plan: { steps: { node: string; rule: string }[] } }
    const rules = plan.steps.filter(({ node }) => node.startsWith('node_relu')).map(({ rule }) => rule)
    expect(rules).toEqual(['rescale', 'rescale', 'reveal-cancel'])
    const override = ['--override', 'node_relu_1=gradient']
    const text = await runCli([...args.slice(0, -1), ...override])
    expect(text.stdout).toMatch(/node_relu_1 .* gradient /)
    expect(text.stdout).toContain('do not sum')
  })

  test('shows the kernel and the counted work of every step', async () => {
    const { code, stdout } = await runCli(['inspect', DEMO_MODEL, '--plan'], {
      env: { DEEPLIFT_ISA: 'scalar' },
    })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^example .*FLOP .* if dense.* of traffic, .*B of memory$/m)
    expect(stdout).toMatch(/^pair .* per pass; references are run once for all examples$/m)
    expect(stdout).toMatch(/^buffers examples \d+ × .*records \d+ × /m)
    expect(stdout).toMatch(/^node_linear .* dense 6x2 /m)
    expect(stdout).toMatch(/^node_conv1d_1 .* winograd F\(3, 3\) .*FLOP .*B {2}winograd F\(4, 4\) /m)
    expect(stdout).toMatch(/^node_relu_1 .* in the epilogue /m)
  })

  test('says which output cannot be explained, and by which node', async () => {
    const bytes = buildModel({
      inputs: { x: ['batch', 2] },
      outputs: { y: ['batch', 2], z: ['batch', 2] },
      nodes: [node('Relu', ['x'], ['y']), node('Det', ['x'], ['z'], {})],
    })
    const path = await file('odd.onnx', bytes)
    const { code, stdout } = await runCli(['inspect', path])
    expect(code).toBe(0)
    expect(stdout).toMatch(/output {2}y {2}float32 \[batch, 2\]\n/)
    expect(stdout).toMatch(/output {2}z .* cannot be explained: .*Det/)
    const asked = await runCli(['inspect', path, '--target', 'z:0'])
    expect(asked.code).toBe(3)
    expect(asked.stderr).toContain('Det')
  })

  test('takes the shape of open axes', async () => {
    const path = await file('open.onnx', sequenceModel(40, { open: true }))
    const without = await runCli(['inspect', path])
    expect(without.code).toBe(0)
    expect(without.stdout).toContain('shapes: { x: [4, 1000] }')
    const { code, stdout } = await runCli(['inspect', path, '--shape', 'x=4,64'])
    expect(code).toBe(0)
    expect(stdout).toContain('per pass')
  })

  test('a file that is no model exits with 3', async () => {
    const path = await file('text.onnx', Buffer.from('hello'))
    expect((await runCli(['inspect', path])).code).toBe(3)
    const json = await runCli(['inspect', path, '--json'])
    expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: 'INVALID_MODEL' } })
  })
})

describe('doctor', () => {
  test('finds a working installation', async () => {
    const { code, stdout } = await runCli(['doctor', '--json'])
    expect(code).toBe(0)
    const found = JSON.parse(stdout) as { native: { isa: string; available: string[] }; problems: string[] }
    expect(found.native.available).toContain(found.native.isa)
    expect(found.problems).toEqual([])
  })

  test('says that the addon cannot be loaded, and what to do', async () => {
    const env = { NAPI_RS_NATIVE_LIBRARY_PATH: join(folder, 'nowhere.node') }
    const { code, stdout } = await runCli(['doctor'], { env })
    expect(code).toBe(1)
    expect(stdout).toMatch(/native +not loaded/)
    expect(stdout).toContain('npm run build:native')
    const inspect = await runCli(['inspect', DEMO_MODEL, '--json'], { env })
    expect(inspect.code).toBe(1)
    expect(JSON.parse(inspect.stdout)).toMatchObject({ error: { code: 'NATIVE_LOAD' } })
  })

  test('says what multiplies bf16', async () => {
    const emulated = await runCli(['doctor'], { env: { DEEPLIFT_AMX: 'emulate' } })
    expect(emulated.stdout).toMatch(/bf16 +emulated/)
    const off = await runCli(['doctor'], { env: { DEEPLIFT_AMX: 'off' } })
    expect(off.stdout).toMatch(/bf16 +in float32: ./)
    const none = await runCli(['doctor'], { env: { DEEPLIFT_AMX: 'on' } })
    expect(none.code).toBe(1)
    expect(none.stdout).toContain('expected off or emulate')
  })

  test('says which instruction set is forced, and refuses one that is none', async () => {
    const scalar = await runCli(['doctor'], { env: { DEEPLIFT_ISA: 'scalar' } })
    expect(scalar.code).toBe(0)
    expect(scalar.stdout).toMatch(/instructions +scalar/)
    expect(scalar.stdout).toContain('unset it')
    const none = await runCli(['doctor'], { env: { DEEPLIFT_ISA: 'sse9' } })
    expect(none.code).toBe(1)
    expect(none.stdout).toContain('sse9')
  })
})

test('help exits with 0, an unknown command with 2', async () => {
  expect((await runCli(['--help'])).code).toBe(0)
  expect((await runCli(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+/)
  const unknown = await runCli(['scor'])
  expect(unknown.code).toBe(2)
  expect(unknown.stderr).toContain('Did you mean score?')
})
