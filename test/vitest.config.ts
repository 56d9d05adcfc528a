import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    environment: 'node',
    include: ['packages/*/test/**/*.test.ts', 'regtest/test/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    pool: 'forks',
    // Many tests start processes of their own and wait for them; more at a time would wait longer than their deadlines.
    maxWorkers: 3,
    // A real bitcoind, real nodes and real blocks take seconds on a small, busy machine.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    passWithNoTests: false,
  },
})
