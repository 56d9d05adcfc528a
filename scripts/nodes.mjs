/**
 * The suite on other versions of Node than the installed one: `node scripts/nodes.mjs` for those we promise to work
 * on, `npm test -- --node 22` for one.
 */
import { pathToFileURL } from 'node:url'
import { PreparationError } from './prepare.mjs'
import { runForeground } from './spawn.mjs'

/** Besides the oldest supported, which is what development happens on: the two that are maintained today. */
const PROMISED = ['22', '24']

/**
 * A node command line as run by another version. npm carries each version's binary in a package per platform; that
 * one is asked for, as the package `node` would fetch it by an install script and outside of npm's checks.
 * @param {string} version a version or the start of one, "22"
 * @param {string[]} args
 * @returns {import('./spawn.mjs').Command}
 */
export function nodeCommand(version, args) {
  const binary = `node-${process.platform}-${process.arch}@${version}`
  return ['npx', '--yes', '--package', binary, '--', 'node', ...args]
}

/**
 * Takes every `--node VERSION` out of a command line.
 * @param {string[]} args
 * @returns {{ versions: string[], rest: string[] }}
 */
export function takeVersions(args) {
  const at = args.indexOf('--node')
  if (at < 0) return { versions: [], rest: args }
  const version = args[at + 1]
  if (!version) throw new PreparationError('--node needs a version, such as 22')
  const { versions, rest } = takeVersions([...args.slice(0, at), ...args.slice(at + 2)])
  return { versions: [version, ...versions], rest }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const versions = PROMISED.flatMap((version) => ['--node', version])
  process.exitCode = await runForeground(
    [process.execPath, 'scripts/run.mjs', 'test', ...versions, ...process.argv.slice(2)],
    {},
  )
}
