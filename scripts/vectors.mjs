/**
 * Writes the protocol's vectors anew from the code: node scripts/vectors.mjs
 *
 * They are packages/core/vectors/**, and what makes them is packages/core/test/corpus. A changed vector is a changed
 * protocol: look at the difference before committing it.
 */
import { runForeground } from './spawn.mjs'

const VITEST = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/vitest.config.ts']

// Never in CI's mode, in which vitest only compares.
process.exitCode = await runForeground(
  [process.execPath, ...VITEST, 'packages/core/test/vectors.test.ts', '--update'],
  { CI: '' },
)
