import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['__test__/**/*.test.ts'],
    globalSetup: '__test__/support/build-dist.ts',
    // Scoring real networks competes for the same cores as the other test files.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
