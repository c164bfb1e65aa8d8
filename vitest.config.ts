import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['__test__/**/*.test.ts'],
    // Scoring real networks competes for the same cores as the other test files.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
