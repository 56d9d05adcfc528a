import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** They take longest, and most of that they wait: what begins with them has the rest of the suite to fill it. */
const FIRST = ['regtest/test/chaos.test.ts', 'regtest/test/reorg.test.ts']

/** Vitest knows how long a file takes only where it ran before, and begins with the largest otherwise. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => FIRST.findIndex((name) => moduleId.endsWith(name)) >>> 0
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

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
    // What is built is loaded as Node loads it: Vite has nothing to transform in it, and would take seconds over that.
    server: { deps: { external: [/\/dist\//] } },
    // Many tests start processes of their own and wait for them; more at a time would wait longer than their deadlines.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // A real bitcoind, real nodes and real blocks take seconds on a small, busy machine.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    passWithNoTests: false,
  },
})
