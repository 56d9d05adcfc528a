import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    environment: 'node',
    include: ['packages/*/test/**/*.test.ts', 'regtest/test/**/*.test.ts', 'test/**/*.test.ts'],
    // What takes long and is rarely broken runs in the long mode.
    exclude: ['**/node_modules/**', '**/dist/**', ...(process.env.KEDGE_CHAOS ? [] : ['**/*.long.test.ts'])],
    pool: 'forks',
    // Files share their worker's modules: to load them anew for each took a minute of the machine's time.
    isolate: false,
    // Many tests start processes of their own and wait for them; more at a time would wait longer than their deadlines.
    maxWorkers: 3,
    // A real bitcoind, real nodes and real blocks take seconds on a small, busy machine.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    passWithNoTests: false,
  },
})
