import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  // Examples import the package by its name; tests run them over the sources.
  resolve: {
    alias: [{ find: /^deeplift$/, replacement: fileURLToPath(new URL('src/index.ts', import.meta.url)) }],
  },
  test: {
    include: ['__test__/**/*.test.ts', 'bench/__test__/**/*.test.mjs'],
    globalSetup: '__test__/support/build-dist.ts',
    // Scoring real networks competes for the same cores as the other test files.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
