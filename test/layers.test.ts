import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { checkTree } from '../scripts/layers.mjs'

const SCRIPT = fileURLToPath(new URL('../scripts/layers.mjs', import.meta.url))

const trees: string[] = []

afterEach(() => {
  for (const tree of trees.splice(0)) rmSync(tree, { recursive: true })
})

/** A temporary repository with these files. */
function plant(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'kedge-layers-'))
  trees.push(root)
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, dirname(path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}

/** What is found in a tree of these files, as `path:line rule`. */
function found(files: Record<string, string>): string[] {
  return checkTree(plant(files)).findings.map(({ path, line, rule }) => `${path}:${line} ${rule}`)
}

const CORE = 'packages/core/src/fee.ts'
const NODE = 'packages/node/src/follow.ts'

/** Put together here, so that this file does not hold what it must not hold. */
const SLASH = '/'

/** One faulty file each: its path, its text, the line and the rule that must come out, and nothing else. */
const FAULTS: [path: string, text: string, line: number, rule: string][] = [
  ['packages/bitcoin/src/tx.ts', "\nimport { open } from '@kedge/storage'\nopen()", 2, 'arrow'],
  ['packages/core/src/a.ts', "export { x } from '@kedge/bitcoin'", 1, 'arrow'],
  ['packages/wallet/src/pay.ts', "export const load = () => import('@kedge/node')", 1, 'arrow'],
  ['packages/wallet/src/pay.ts', "export type Start = import('@kedge/node').Start", 1, 'arrow'],
  ['packages/node/src/start.ts', "import type { Sequencer } from '@kedge/sequencer'", 1, 'arrow'],
  ['packages/cli/src/up.ts', "import { net } from '@kedge/regtest'", 1, 'arrow'],
  ['packages/node/src/start.ts', "import { x } from '../../core/src/codec.ts'", 1, 'arrow'],
  ['packages/node/src/start.ts', "import { x } from '@kedge/core/dist/codec.js'", 1, 'arrow'],
  ['packages/node/src/start.ts', "import { world } from '../test/world.ts'", 1, 'arrow'],
  ['packages/bitcoin/test/tx.test.ts', "import { open } from '@kedge/storage'", 1, 'arrow'],
  ['test/flow.test.ts', "import { x } from '../packages/core/src/codec.ts'", 1, 'arrow'],
  ['packages/gossip/package.json', '{}', 1, 'arrow'],
  ['packages/api/package.json', '{\n "dependencies": {\n  "@kedge/node": "0.1.0"\n }\n}', 3, 'arrow'],
  ['packages/node/src/self.ts', "import { b } from './self.ts'\nexport const a = b", 1, 'cycle'],
  [CORE, "import { readFileSync } from 'node:fs'", 1, 'pure-core'],
  [CORE, "import { readFileSync } from 'fs'", 1, 'pure-core'],
  [CORE, 'export const now = () =>\n  new Date()', 2, 'pure-core'],
  [CORE, 'export const at: Date | undefined = undefined', 1, 'pure-core'],
  [CORE, 'export const dice = Math.random()', 1, 'pure-core'],
  [CORE, 'export const t = performance.now()', 1, 'pure-core'],
  [CORE, 'export async function f() {\n  return 1\n}', 1, 'pure-core'],
  [CORE, 'export const f = { async g() {} }', 1, 'pure-core'],
  [CORE, 'export const x = await y', 1, 'pure-core'],
  [CORE, 'export declare function f(): Promise<void>', 1, 'pure-core'],
  [CORE, 'console.log(1)', 1, 'pure-core'],
  [NODE, 'export const home = process.env.HOME', 1, 'environment'],
  [NODE, 'const { env } = process', 1, 'environment'],
  [NODE, "import { env } from 'node:process'", 1, 'environment'],
  ['packages/cli/src/config.ts', 'export const home = process.env.HOME', 1, 'environment'],
  ['packages/signatures/src/verifier.ts', 'export const cores = process.env.CORES', 1, 'environment'],
  ['packages/node/src/utils.ts', '', 1, 'empty-name'],
  ['packages/node/src/tx-helpers.ts', '', 1, 'empty-name'],
  ['packages/node/src/common/fee.ts', '', 1, 'empty-name'],
  ['packages/node/src/types.ts', '', 1, 'empty-name'],
  ['packages/node/src/peerManager.ts', '', 1, 'empty-name'],
  [NODE, '\nexport class BlockHandler {}', 2, 'empty-name'],
  [NODE, 'export interface Service {}', 1, 'empty-name'],
  [NODE, 'export const keyProvider = 1', 1, 'empty-name'],
  [NODE, 'x\n'.repeat(601), 1, 'file-size'],
  ['packages/node/src/a/index.ts', '', 1, 'inner-index'],
  [NODE, `\nexport const f = () => {\n${'f()\n'.repeat(119)}}`, 2, 'function-size'],
  [NODE, "export * from './a.ts'", 1, 'export-all'],
  [NODE, "export * as a from './a.ts'", 1, 'export-all'],
  ['packages/node/test/a.test.ts', "\nvi.mock('./a.ts')", 2, 'mock'],
  ['packages/node/test/a.test.ts', 'const f = vi.fn()', 1, 'mock'],
  ['packages/node/test/a.test.ts', "vi.spyOn(x, 'y')", 1, 'mock'],
  [NODE, 'try {\n  f()\n} catch {\n  // no matter\n}', 3, 'swallowed-error'],
  [NODE, 'f().catch(() => {})', 1, 'swallowed-error'],
  [NODE, 'f().catch(() => undefined)', 1, 'swallowed-error'],
  [NODE, 'f().catch((error) => null)', 1, 'swallowed-error'],
  [NODE, `x\n// ${'TO'}${'DO'} the rest`, 2, 'unfinished'],
  ['packages/node/README.md', `# Node\n\n${'FIX'}${'ME'}`, 3, 'unfinished'],
  ['README.md', `See ${SLASH}root/kedge.`, 1, 'private-path'],
  ['scripts/x.sh', `cd ${SLASH}work/main`, 1, 'private-path'],
  ['package-lock.json', `{"resolved": "https:${SLASH}/registry.example.org/a.tgz"}`, 1, 'private-host'],
  ['README.md', `https:${SLASH}/git.example.internal/x`, 1, 'private-host'],
  [NODE, 'export const = 1', 1, 'syntax'],
]

/** What comes close to a fault and is none. */
const FINE: [path: string, text: string][] = [
  [CORE, "// no Date and no Promise here\nexport const text = 'Math.random async await console'"],
  [CORE, 'export const f = (block: { console: bigint }) => block.console'],
  [CORE, "import { sha256 } from '@noble/hashes/sha2.js'\nsha256()"],
  ['packages/core/test/fee.test.ts', "import { it } from 'vitest'\nit('waits', async () => {\n  await it\n})"],
  ['packages/bitcoin/test/rpc.test.ts', "import { startBitcoind } from '@kedge/regtest'\nstartBitcoind()"],
  ['packages/bitcoin/test/rpc.test.ts', "import { x } from '../src/rpc.ts'\nx()"],
  ['packages/sequencer/src/post.ts', "import { a } from '@kedge/node'\nimport { b } from '@kedge/commitment'\na(b)"],
  ['regtest/src/demo.ts', "import { main } from '@kedge/cli'\nmain(process.env.BITCOIND)"],
  ['packages/cli/src/main.ts', 'export const home = process.env.KEDGE_HOME'],
  ['packages/cli/bin/kedge.mjs', "import { main } from '../dist/main.js'\nmain()"],
  ['packages/core/src/merkle.ts', 'export const opHelpers = 1'],
  ['packages/signatures/src/shared-table.ts', ''],
  [NODE, 'export const f = () => {\n  const factory = create()\n  return factory\n}'],
  [NODE, 'try {\n  f()\n} catch (cause) {\n  throw new Error("f", { cause })\n}'],
  [NODE, 'f().catch(report)'],
  [NODE, `\nexport const f = () => {\n${'f()\n'.repeat(118)}}`],
  ['packages/node/test/a.test.ts', `describe('all', () => {\n${'f()\n'.repeat(300)}})`],
  ['packages/node/src/index.ts', "export { follow, type Chain } from './follow.ts'"],
  ['packages/node/node_modules/x/utils.ts', 'export * from "y"'],
  ['packages/node/dist/utils.js', 'export * from "y"'],
  [
    'README.md',
    `The folder ${SLASH}tmp/kedge, ${SLASH}home/me/.kedge, a path a${SLASH}work/b, https:${SLASH}/kedge.example.org`,
  ],
]

describe('layers', () => {
  it.each(FAULTS)('%s: %j', (path, text, line, rule) => {
    expect(found({ [path]: text })).toEqual([`${path}:${line} ${rule}`])
  })

  it.each(FINE)('lets pass %s: %j', (path, text) => {
    expect(found({ [path]: text })).toEqual([])
  })

  it('takes a circle that types alone close for none', () => {
    const files = {
      'packages/node/src/a.ts': "import { b } from './b.ts'\nexport const a = b",
      'packages/node/src/b.ts': "import type { A } from './a.ts'\nexport const b: A = 1",
    }
    expect(found(files)).toEqual([])
  })

  it('finds a cycle of several files once, at the import that closes it', () => {
    const files = {
      'packages/node/src/a.ts': "import { b } from './b.ts'\nexport const a = b",
      'packages/node/src/b.ts': "import { c } from './deep/c.ts'\nexport const b = c",
      'packages/node/src/deep/c.ts': "\nimport { a } from '../a.ts'\nexport const c = () => a",
      'packages/node/src/d.ts': "import { a } from './a.ts'\nexport const d = a",
    }
    expect(found(files)).toEqual(['packages/node/src/deep/c.ts:2 cycle'])
  })

  it('finds where package.json and the references of tsconfig.json differ', () => {
    const dependencies = { '@kedge/core': '0.1.0', '@kedge/bitcoin': '0.1.0', zod: '1.0.0' }
    const tsconfig = '{\n  "references": [{ "path": "../core" }, { "path": "../storage" }]\n}'
    const { findings } = checkTree(
      plant({
        'packages/node/package.json': JSON.stringify({ dependencies }),
        'packages/node/tsconfig.json': tsconfig,
      }),
    )
    expect(findings.map(({ rule, message }) => [rule, message.split(' ').at(-1)])).toEqual([
      ['references', 'bitcoin'],
      ['references', 'storage'],
    ])
  })

  it('warns of a file above 400 lines without failing', () => {
    const { findings } = checkTree(plant({ [NODE]: 'x\n'.repeat(401) }))
    expect(findings).toMatchObject([{ rule: 'file-size', warning: true }])
  })
})

describe('the command', () => {
  const run = (root: string) => spawnSync(process.execPath, [SCRIPT, root], { encoding: 'utf8' })

  it('prints file, line and rule, a summary, and exits with 1', () => {
    const { status, stdout } = run(plant({ [NODE]: "\nexport * from './a.ts'", 'README.md': '# Kedge' }))
    expect(stdout).toBe(`${NODE}:2 export-all: write the names out\nlayers: 2 files read, 1 faults, 0 warnings\n`)
    expect(status).toBe(1)
  })

  it('exits with 0 when there are only warnings', () => {
    const { status, stdout } = run(plant({ [NODE]: 'x\n'.repeat(401) }))
    expect(stdout).toContain('1 warnings')
    expect(status).toBe(0)
  })
})
