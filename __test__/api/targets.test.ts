import { describe, expect, test } from 'vitest'
import { parseHead, parseTarget } from '../../src/cli/targets.js'
import type { Target } from '../../src/index.js'
import type { SizedOutput } from '../../src/options/head.js'
import { resolveTargets, settleTargets } from '../../src/options/target.js'

const output = (name: string, ...shape: (number | string | null)[]) => ({
  name,
  dtype: 'float32',
  shape: ['batch', ...shape],
})
const profile = output('profile', 2, 1000)
const counts = output('counts', 1)
const logits = output('logits', 4)
const open = output('open', null)
const long = output('long', 3, 'length')
const unknown = { name: 'unknown', dtype: 'float32', shape: null }

const resolve = (target: Target | undefined, ...outputs: (typeof profile | typeof unknown)[]) =>
  resolveTargets(target, outputs).targets

describe('targets', () => {
  test('default to the only value of the only output', () => {
    expect(resolveTargets(undefined, [counts])).toEqual({
      targets: [{ tensor: 'counts', index: 0 }],
      several: false,
    })
    expect(resolve({ output: 'counts' }, profile, counts)).toEqual([{ tensor: 'counts', index: 0 }])
    expect(() => resolve(undefined, profile, counts)).toThrow(/several outputs.*"profile" \[batch, 2, 1000\]/)
    expect(() => resolve(undefined, logits)).toThrow(/4 values.*say which one/)
  })

  test('of shapes that the file leaves open are left to native code', () => {
    for (const each of [open, unknown]) expect(resolve(undefined, each)).toEqual([{ tensor: each.name }])
    expect(resolve({ output: 'inside' }, logits)).toEqual([{ tensor: 'inside' }])
    expect(resolve({ output: 'inside', index: [1, 2] }, logits)).toEqual([
      { tensor: 'inside', index: [1, 2] },
    ])
    expect(resolve({ index: [1, 7] }, long)).toEqual([{ tensor: 'long', index: [1, 7] }])
    expect(() => resolve({ index: [3, 7] }, long)).toThrow(/beyond "long".*\[3, length\]/)
    expect(() => resolve({ index: [7] }, long)).toThrow(/1 entry; .* 2 axes/)
  })

  test('with one index per axis are flattened in row-major order', () => {
    expect(resolve({ index: [1, 57] }, profile)).toEqual([{ tensor: 'profile', index: 1057 }])
    expect(() => resolve({ index: [2, 0] }, profile)).toThrow(/beyond/)
    expect(resolve({ index: [57] }, open)).toEqual([{ tensor: 'open', index: 57 }])
  })

  test('sum over whole axes and over ranges', () => {
    expect(resolve({ index: [null, [100, 200]] }, profile)).toEqual([
      { tensor: 'profile', index: [null, [100, 200]] },
    ])
    expect(resolve({ index: [1, null], minus: [0, null] }, profile)).toEqual([
      { tensor: 'profile', index: [1, null], minus: [0, null] },
    ])
    expect(() => resolve({ index: [null, [100, 1001]] }, profile)).toThrow(/beyond/)
    expect(() => resolve({ index: [null, [100, 100]] }, profile)).toThrow(/from < to; found \[100,100\]/)
    expect(() => resolve({ index: [null, -1] }, profile)).toThrow(/whole numbers from 0/)
  })

  test('are contrasted with another value, or with the mean', () => {
    expect(resolve({ index: 3, minus: 1 }, logits)).toEqual([{ tensor: 'logits', index: 3, minus: 1 }])
    expect(resolve({ index: 0, centred: true }, logits)).toEqual([
      { tensor: 'logits', index: 0, centred: true },
    ])
    expect(() => resolve({ index: 0, minus: 1, centred: true }, logits)).toThrow(/not both/)
    expect(() => resolve({ minus: 1 }, logits)).toThrow(/go with index/)
    expect(() => resolve({ index: 0, minus: 4 }, logits)).toThrow(/minus: index 4 is beyond/)
    expect(() => resolve({ index: 0, centred: 1 as never }, logits)).toThrow(/true or false/)
  })

  test('may belong to several outputs', () => {
    const targets = [{ output: 'counts' }, { output: 'profile', index: 5 }]
    expect(resolveTargets(targets, [profile, counts])).toEqual({
      targets: [
        { tensor: 'counts', index: 0 },
        { tensor: 'profile', index: 5 },
      ],
      several: true,
    })
  })
})

describe('heads', () => {
  test('are chosen by the number of values per example', () => {
    expect(resolve({ head: 'profile' }, counts, profile)).toEqual([{ tensor: 'profile', profile: 'mean' }])
    expect(resolve({ head: 'profile', weights: 'full' }, profile, counts)).toEqual([
      { tensor: 'profile', profile: 'full' },
    ])
    expect(resolve({ head: 'counts' }, profile, counts)).toEqual([{ tensor: 'counts', index: [null] }])
    expect(resolve([{ head: 'counts' }, { head: 'profile' }], profile, output('c', 2))).toEqual([
      { tensor: 'c', index: [null] },
      { tensor: 'profile', profile: 'mean' },
    ])
    expect(resolve({ head: 'counts' }, counts)).toEqual([{ tensor: 'counts', index: [null] }])
    expect(resolve({ head: 'profile' }, profile)).toEqual([{ tensor: 'profile', profile: 'mean' }])
  })

  test('are named where shapes do not tell', () => {
    const twins = [output('a', 500), output('b', 500)]
    expect(() => resolve({ head: 'profile' }, ...twins)).toThrow(
      /most values.*"a" \[500\], "b" \[500\].*output: "a"/,
    )
    expect(() => resolve({ head: 'counts' }, ...twins)).toThrow(/head 'counts'/)
    expect(() => resolve({ head: 'counts' }, profile)).toThrow(/two outputs/)
    expect(() => resolve({ head: 'counts' }, profile, counts, logits)).toThrow(/two outputs/)
    expect(() => resolve({ head: 'profile' }, counts)).toThrow(/most values/)
    expect(resolve({ head: 'profile', output: 'b' }, ...twins)).toEqual([{ tensor: 'b', profile: 'mean' }])
    expect(resolve({ head: 'counts', output: 'a' }, ...twins)).toEqual([{ tensor: 'a', index: [null] }])
  })

  test('wait for shapes that the file leaves open', async () => {
    const shapes = async (): Promise<SizedOutput[]> => [
      { name: 'long', shape: [3, 50] },
      { name: 'counts', shape: [1] },
    ]
    const { targets } = resolveTargets(
      [{ head: 'profile' }, { head: 'counts' }, { output: 'counts' }],
      [long, counts],
    )
    expect(await settleTargets(targets, shapes)).toEqual([
      { tensor: 'long', profile: 'mean' },
      { tensor: 'counts', index: [null] },
      { tensor: 'counts', index: 0 },
    ])
    const never = () => Promise.reject(new Error('no shapes are needed'))
    const named = resolveTargets({ head: 'profile', output: 'long' }, [long, counts]).targets
    expect(await settleTargets(named, never)).toEqual([{ tensor: 'long', profile: 'mean' }])
  })

  test('refuse weights that are none', () => {
    expect(() => resolve({ head: 'profile', weights: 'men' as never }, profile)).toThrow(
      /Did you mean "mean"/,
    )
    expect(() => resolve({ head: 'counts', weights: 'mean' }, counts)).toThrow(/belong to head 'profile'/)
    expect(() => resolve({ head: 'count' as never }, counts)).toThrow(/Did you mean "counts"/)
    expect(() => resolve({ head: 'counts', index: 0 } as never, counts)).toThrow(/no option "index"/)
    expect(() => resolve({ weights: 'mean' } as never, counts)).toThrow(/head: 'profile'/)
  })
})

describe('on the command line', () => {
  const outputs = [logits, output('Identity:0', 3), profile]
  const forms: [string, object][] = [
    ['3', { index: 3 }],
    ['logits', { output: 'logits' }],
    ['logits:3', { output: 'logits', index: 3 }],
    ['Identity:0', { output: 'Identity:0' }],
    ['Identity:0:2', { output: 'Identity:0', index: 2 }],
    ['profile:0,57', { output: 'profile', index: [0, 57] }],
    ['profile:*,100..200', { output: 'profile', index: [null, [100, 200]] }],
    ['*', { index: [null] }],
    ['logits:3-1', { output: 'logits', index: 3, minus: 1 }],
    ['3-mean', { index: 3, centred: true }],
    ['profile:1,*-0,*', { output: 'profile', index: [1, null], minus: [0, null] }],
    ['/block/Relu_output_0', { output: '/block/Relu_output_0' }],
    ['/block/Relu_output_0:7', { output: '/block/Relu_output_0', index: 7 }],
  ]
  test.each(forms)('%s', (text, target) => {
    expect(parseTarget(text, outputs)).toEqual(target)
  })

  test('heads', () => {
    expect(parseHead('counts')).toEqual({ head: 'counts' })
    expect(parseHead('profile:input')).toEqual({ head: 'profile', weights: 'input' })
    expect(parseHead('logits=profile:bpnet-lite')).toEqual({
      head: 'profile',
      output: 'logits',
      weights: 'bpnet-lite',
    })
  })
})
