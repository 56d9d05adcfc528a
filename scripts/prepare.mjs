/** What a task needs before it can run: the dependencies, a bitcoind, a Chromium, the built packages. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ROOT, runQuietly } from './spawn.mjs'

/** A step that is over sooner than this had nothing to do, and is not worth a line. */
const SILENT_MS = 400

/** Something a task needs cannot be had; the message is for the user, the output is the failed program's. */
export class PreparationError extends Error {
  /** @param {string} message @param {string} [output] */
  constructor(message, output = '') {
    super(message)
    this.output = output
  }
}

/**
 * Does `work`, and says on standard error what it is and how long it took, once it takes noticeable time.
 * Standard output stays the task's own.
 * @template T
 * @param {string} title
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
async function step(title, work) {
  const start = performance.now()
  let shown = false
  const timer = setTimeout(() => {
    process.stderr.write(`kedge: ${title} ... `)
    shown = true
  }, SILENT_MS)
  try {
    const result = await work()
    if (shown) process.stderr.write(`${((performance.now() - start) / 1000).toFixed(1)} s\n`)
    return result
  } catch (error) {
    if (shown) process.stderr.write('failed\n')
    throw error
  } finally {
    clearTimeout(timer)
  }
}

/**
 * @typedef {{ version?: string, integrity?: string, optional?: boolean, devOptional?: boolean }} Locked
 */

/**
 * The `packages` of a lock file; undefined when the file is not there.
 * @param {string} path
 * @returns {Record<string, Locked> | undefined}
 */
function readLock(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Whether node_modules in `root` holds what package-lock.json names. npm writes its own record last of all, so an
 * install that was interrupted left none. An optional package may be missing: it is one for another platform.
 * @param {string} root
 */
export function isInstalled(root) {
  const locked = readLock(join(root, 'package-lock.json'))
  const present = readLock(join(root, 'node_modules', '.package-lock.json'))
  if (!locked) throw new PreparationError(`no package-lock.json in ${root}`)
  if (!present) return false
  return Object.entries(locked).every(([path, entry]) => {
    if (path === '') return true
    const there = present[path]
    if (!there) return entry.optional === true || entry.devOptional === true
    return there.version === entry.version && there.integrity === entry.integrity
  })
}

/** Installs the dependencies, exactly those of the lock file, unless they are there. */
export async function ensureDependencies() {
  if (isInstalled(ROOT)) return
  // The tools are development dependencies, which a NODE_ENV=production in the environment would leave out.
  await step('installing dependencies (npm ci)', async () => {
    const { code, stdout, stderr } = await runQuietly(['npm', 'ci', '--include=dev', '--prefer-offline'])
    if (code !== 0) throw new PreparationError('npm ci failed', stdout + stderr)
  })
}

/**
 * Finds or fetches a bitcoind and returns its path.
 * @returns {Promise<string>}
 */
export function ensureBitcoind() {
  return step('fetching bitcoind for regtest', async () => {
    const { code, stdout, stderr } = await runQuietly(['bash', 'scripts/get-bitcoind.sh', '.cache/bitcoind'])
    if (code !== 0) throw new PreparationError('no bitcoind', stderr)
    return join(stdout.trim(), 'bitcoind')
  })
}

/**
 * Finds or installs a Chromium and returns its path.
 * @returns {Promise<string>}
 */
export function ensureChromium() {
  return step('finding a Chromium for the browser test', async () => {
    const { code, stdout, stderr } = await runQuietly(['bash', 'scripts/get-chromium.sh'])
    if (code !== 0) throw new PreparationError('no Chromium', stderr)
    return stdout.trim()
  })
}

/**
 * Brings every package's dist up to date. `tsc -b` itself and not turbo: with nothing changed it takes 0.1 s against
 * 0.15 s, and from nothing 0.8 s in one process against 5 s in thirteen.
 */
export async function ensureBuild() {
  const stamp = join(ROOT, '.cache', 'built')
  const now = sourcesOf(ROOT)
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === now) return
  await step('building', async () => {
    const { code, stdout, stderr } = await runQuietly([process.execPath, 'node_modules/typescript/bin/tsc', '-b'])
    if (code !== 0) throw new PreparationError('the build failed', stdout + stderr)
  })
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, now)
}

/**
 * What tells whether a build is up to date, in less time than the compiler needs to find that out: each source with its
 * time and size, each folder of results with whether it is there.
 * @param {string} root
 */
function sourcesOf(root) {
  const packages = readdirSync(join(root, 'packages')).map((name) => join('packages', name))
  const lines = [...packages, 'regtest'].flatMap((folder) => [
    `${folder} ${existsSync(join(root, folder, 'dist'))}`,
    ...['package.json', 'tsconfig.json', 'src'].flatMap((name) => timesBelow(root, join(folder, name))),
  ])
  return lines.join('\n')
}

/**
 * @param {string} root
 * @param {string} path
 * @returns {string[]}
 */
function timesBelow(root, path) {
  const found = statSync(join(root, path), { throwIfNoEntry: false })
  if (!found?.isDirectory()) return [`${path} ${found?.mtimeMs} ${found?.size}`]
  return readdirSync(join(root, path)).flatMap((name) => timesBelow(root, join(path, name)))
}
