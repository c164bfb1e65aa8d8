import { expect } from 'vitest'
import { DeepLiftError, type DeepLiftErrorCode } from '../../src/errors.js'

/** Expects a DeepLiftError with this code, whose message matches every pattern; resolves to it. */
export async function expectError(
  run: () => unknown,
  code: DeepLiftErrorCode,
  ...patterns: readonly (RegExp | string)[]
): Promise<DeepLiftError> {
  const error = await Promise.resolve()
    .then(run)
    .then(
      () => expect.fail(`expected ${code}, but nothing was thrown`),
      (error: unknown) => error,
    )
  if (!(error instanceof DeepLiftError)) throw error
  expect(error.code, error.message).toBe(code)
  for (const pattern of patterns) expect(error.message).toMatch(pattern)
  return error
}
