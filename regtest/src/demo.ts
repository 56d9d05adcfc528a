import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type NetworkOptions, RegtestNetwork } from './network.ts'
import { Progress } from './progress.ts'
import type { Scenario } from './scenario.ts'
import { SCENARIOS } from './scenarios.ts'
import { Stage, type Step } from './stage.ts'
import { readUsage, UsageError } from './usage.ts'

const HELP = `npm run demo -- [OPTIONS]

Starts a bitcoind, a sequencer and challengers as real processes, and plays scenarios on them, each with checks.

  --list          the scenarios' names
  --only NAME     plays this one alone; may be repeated
  --keep          leaves the data and the logs
  --help

Exit status: 0 every check held, 1 one did not, 2 it was asked wrongly.
`

interface Outcome {
  readonly name: string
  readonly result: 'passed' | 'FAILED' | 'not run'
  readonly seconds: string
}

const progress = Progress.begin()

/**
 * Plays the scenarios, on two tracks side by side; what the second tells comes behind what the first does. The first
 * failure that is told ends all.
 */
async function demo(scenarios: readonly Scenario[], keep: boolean): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'kedge-demo-'))
  progress.line(`data and logs: ${folder}`)
  const outcomes: Outcome[] = []
  const networks = new Networks()
  onInterrupt(() => networks.kill())
  try {
    const tracks = tracksOf(scenarios).map((played, at) => {
      const teller = at === 0 ? progress : progress.held()
      const track = { folder: join(folder, `networks-${at + 1}`), progress: teller, outcomes, networks }
      // Its failure is told when its turn comes.
      const over = playAll(played, track).then(
        () => undefined,
        (cause: unknown) => ({ cause }),
      )
      return { teller, over }
    })
    for (const [at, { teller, over }] of tracks.entries()) {
      if (at > 0) progress.line('\nPlayed meanwhile, on other networks:')
      teller.release()
      const failure = await over
      if (failure !== undefined) throw failure.cause
    }
  } catch (error) {
    await networks.kill()
    progress.line(summary(scenarios, outcomes))
    progress.line(`\nFAILED: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    progress.line(`The logs of all processes: ${folder}/*/*/*/log.jsonl`)
    return 1
  }
  progress.line(summary(scenarios, outcomes))
  if (!keep) await rm(folder, { recursive: true })
  return 0
}

/** Those of both tracks. Once they are killed, none is started any more. */
class Networks {
  private readonly started: Promise<RegtestNetwork>[] = []
  private isOver = false

  start(options: NetworkOptions): Promise<RegtestNetwork> {
    if (this.isOver) return Promise.reject(new Error('the demo is over'))
    const network = RegtestNetwork.start(options)
    this.started.push(network)
    return network
  }

  async kill(): Promise<void> {
    this.isOver = true
    // What could not start has cleared itself away.
    for (const each of await Promise.allSettled(this.started)) if (each.status === 'fulfilled') await each.value.kill()
  }
}

interface Played {
  readonly alone?: Partial<NetworkOptions> | undefined
  readonly together: readonly Scenario[]
}

/**
 * Two tracks side by side, about as long as each other: a network for the scenarios that share the first, one for those
 * beside them; behind both, in turn, networks for those that can't share any.
 */
function tracksOf(scenarios: readonly Scenario[]): readonly (readonly Played[])[] {
  const tracks: Played[][] = [[], []]
  const shared = scenarios.filter(({ alone }) => alone === undefined)
  for (const [at, track] of tracks.entries()) {
    const together = shared.filter(({ isBeside = false }) => isBeside === (at === 1))
    if (together.length > 0) track.push({ together })
  }
  const own = scenarios.filter(({ alone }) => alone !== undefined)
  for (const [at, scenario] of own.entries()) tracks[at % 2]?.push({ alone: scenario.alone, together: [scenario] })
  return tracks.filter((track) => track.length > 0)
}

interface Track {
  readonly folder: string
  readonly progress: Progress
  readonly outcomes: Outcome[]
  readonly networks: Networks
}

async function playAll(played: readonly Played[], track: Track): Promise<void> {
  const { progress } = track
  for (const [at, { alone, together }] of played.entries()) {
    const network = await start(track, `network-${at + 1}`, alone)
    const tell: Step = (title, work, seen) => progress.step(title, work, seen)
    const stage = new Stage(network, tell)
    for (const scenario of together) await play(stage, scenario, track)
    await progress.step('everything stops in good order', () => network.stop())
  }
}

function start(
  { folder, progress, networks }: Track,
  name: string,
  alone: Partial<NetworkOptions> = {},
): Promise<RegtestNetwork> {
  const common = { challengers: 2, sealAfterMs: 100, mayLie: true, logLevel: 'debug' }
  const options = { ...common, folder: join(folder, name), ...alone }
  const title = `bitcoind, a sequencer and ${options.challengers} challengers start, and find each other`
  return progress.step(title, (onProgress) => networks.start({ ...options, onProgress }))
}

async function play(stage: Stage, { name, title, run }: Scenario, { progress, outcomes }: Track): Promise<void> {
  progress.title(title)
  const began = performance.now()
  const end = (result: Outcome['result']) =>
    outcomes.push({ name, result, seconds: ((performance.now() - began) / 1000).toFixed(1) })
  try {
    await run(stage)
    end('passed')
  } catch (error) {
    end('FAILED')
    throw error
  }
}

function summary(scenarios: readonly Scenario[], outcomes: readonly Outcome[]): string {
  const told = tracksOf(scenarios)
    .flat()
    .flatMap(({ together }) => together)
  const rows = told.map(
    ({ name }) => outcomes.find((outcome) => outcome.name === name) ?? { name, result: 'not run', seconds: '' },
  )
  const width = Math.max(...rows.map(({ name }) => name.length))
  const lines = rows.map(
    ({ name, result, seconds }) =>
      `${name.padEnd(width)}  ${result.padEnd(7)}  ${seconds.padStart(6)}${seconds && ' s'}`,
  )
  return `\n${'scenario'.padEnd(width)}  result     time\n${lines.join('\n')}`
}

/** Ctrl-C: ends what runs at once. A second one does not wait for that. */
function onInterrupt(clear: () => Promise<void> | undefined): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      progress.line('\ninterrupted')
      void Promise.resolve(clear()).finally(() => process.exit(130))
    })
  }
}

interface DemoOptions {
  readonly mode: 'help' | 'list' | 'play'
  readonly scenarios: readonly Scenario[]
  readonly keep: boolean
}

/** @throws TypeError or RangeError naming what is wrong */
function readOptions(): DemoOptions {
  const options = {
    list: { type: 'boolean' },
    only: { type: 'string', multiple: true },
    keep: { type: 'boolean' },
    help: { type: 'boolean' },
  } as const
  const { help, list, keep = false, only = [] } = parseArgs({ options }).values
  const names = SCENARIOS.map(({ name }) => name)
  const unknown = only.find((name) => !names.includes(name))
  if (unknown !== undefined) throw new RangeError(`there is no scenario ${unknown}; the names are ${names.join(', ')}`)
  const scenarios = SCENARIOS.filter(({ name }) => only.length === 0 || only.includes(name))
  return { mode: help ? 'help' : list ? 'list' : 'play', scenarios, keep }
}

try {
  const { mode, scenarios, keep } = readUsage(readOptions)
  if (mode === 'help') progress.line(HELP)
  else if (mode === 'list') for (const { name } of SCENARIOS) progress.line(name)
  // Where one track failed, the other may still wait for what can't come any more.
  else process.exit(await demo(scenarios, keep))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(error.message)
  process.exitCode = 2
}
