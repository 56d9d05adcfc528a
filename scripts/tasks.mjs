/** The tasks behind `npm run`: what each needs first, and the programs it is. */
import { nodeCommand, takeVersions } from './nodes.mjs'
import { ensureBitcoind, ensureBuild, ensureChromium, ensureDependencies, PreparationError } from './prepare.mjs'
import { runForeground } from './spawn.mjs'

/** @typedef {import('./spawn.mjs').Command} Command */

/**
 * @param {string} script
 * @param {string[]} args
 * @returns {Command}
 */
const node = (script, args) => [process.execPath, script, ...args]

const VITEST = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/vitest.config.ts']

/**
 * The commands of `npm test`: the suite on this Node, or on each one named: npm test -- --node 22 --node 24.
 * @param {string[]} args
 * @returns {Command[]}
 */
function testCommands(args) {
  const { versions, rest } = takeVersions(args)
  const suite = [...VITEST, ...rest]
  return versions.length === 0 ? [[process.execPath, ...suite]] : versions.map((version) => nodeCommand(version, suite))
}

/**
 * The commands of `npm run lint`. With arguments only the first: npm run lint -- --write, npm run lint -- packages/core.
 * What is used nowhere can only be told of the whole.
 * @param {string[]} args
 */
function lintCommands(args) {
  const style = node('node_modules/@biomejs/biome/bin/biome', ['check', ...args])
  const unused = node('node_modules/knip/bin/knip.js', ['--no-config-hints'])
  return args.length === 0 ? [style, unused] : [style]
}

/**
 * A program is 'required' where nothing works without it, and 'wanted' where some of it does.
 * @typedef {'required' | 'wanted'} Need
 * @typedef {{ bitcoind?: Need, chromium?: Need, build?: boolean, commands: (args: string[]) => Command[] }} Task
 * @type {Record<string, Task>}
 */
const TASKS = {
  demo: { bitcoind: 'required', build: true, commands: (args) => [node('regtest/dist/demo.js', args)] },
  start: { bitcoind: 'required', build: true, commands: (args) => [node('regtest/dist/up.js', args)] },
  bench: { bitcoind: 'required', build: true, commands: (args) => [node('regtest/dist/bench.js', args)] },
  kedge: { build: true, commands: (args) => [node('packages/cli/bin/kedge.mjs', args)] },
  test: { bitcoind: 'wanted', chromium: 'wanted', build: true, commands: testCommands },
  build: { commands: (args) => [node('node_modules/turbo/bin/turbo', ['run', 'build', ...args])] },
  typecheck: { commands: (args) => [node('node_modules/typescript/bin/tsc', ['-b', 'test', 'scripts', ...args])] },
  lint: { commands: lintCommands },
  layers: { commands: (args) => [node('scripts/layers.mjs', args)] },
}

/**
 * What the task needs, made ready in order; the result goes into its environment.
 * @param {Task} task
 * @returns {Promise<Record<string, string>>}
 */
async function prepare(task) {
  /** @type {Record<string, string>} */
  // turbo would report on its use, to its makers, at every run.
  const env = { TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' }
  await ensureDependencies()
  await obtain(env, 'BITCOIND', task.bitcoind, ensureBitcoind)
  await obtain(env, 'CHROMIUM', task.chromium, ensureChromium)
  if (task.build) await ensureBuild()
  return env
}

/**
 * Puts a program's path into the environment.
 * @param {Record<string, string>} env
 * @param {string} variable
 * @param {Need | undefined} need
 * @param {() => Promise<string>} ensure
 */
async function obtain(env, variable, need, ensure) {
  if (!need) return
  try {
    env[variable] = await ensure()
  } catch (error) {
    // Without one the rest of the tests is worth having, but not in CI, and not for somebody who named one.
    const needed = need === 'required' || process.env.CI || process.env[variable]
    if (needed || !(error instanceof PreparationError)) throw error
    process.stderr.write(`${error.output}kedge: ${error.message}, so the tests that need one are skipped\n`)
  }
}

/**
 * Runs a task with the user's arguments; returns the exit code, the first that is not zero.
 * @param {string | undefined} name
 * @param {string[]} args
 * @returns {Promise<number>}
 */
export async function runTask(name, args) {
  const task = TASKS[name ?? '']
  if (!task) {
    process.stderr.write(`kedge: the tasks are ${Object.keys(TASKS).join(', ')}\n`)
    return 2
  }
  try {
    const env = await prepare(task)
    /** @type {number[]} */
    const codes = []
    const commands = task.commands(args)
    for (const command of commands) {
      if (commands.length > 1) process.stderr.write(`kedge: ${command.join(' ')}\n`)
      codes.push(await runForeground(command, env))
    }
    return codes.find((code) => code !== 0) ?? 0
  } catch (error) {
    if (!(error instanceof PreparationError)) throw error
    process.stderr.write(`${error.output}kedge: ${error.message}\n`)
    return 1
  }
}
