import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MAX_TRANSFERS } from '@kedge/api'
import { paramsToJson } from '@kedge/core'
import { waitFor } from '../waiting.ts'
import { measureBuilding } from './batch.ts'
import { Load, PACED_ROWS } from './load.ts'
import type { SentLoad } from './load-process.ts'
import { depositFor, keyOf } from './payers.ts'
import { Rollup, type SealedLine } from './rollup.ts'
import type { Measurement, Row } from './row.ts'
import { measureChecking } from './signatures.ts'
import { printFigure } from './table.ts'

const UNIT = 'transfers/s'
const SECONDS = 22
const PACED_SECONDS = 10
/** Requests under way at a time: enough to fill the next batch while one is sealed; more would only wait longer. */
const LANES = 12
/** Where requests come at their times: nobody waits for another. */
const PACED_LANES = 200
/** The limit was measured a while before. */
const RESERVE = 1.2
const UNCHECKED = fileURLToPath(new URL('unchecked-process.js', import.meta.url))

type Say = (line: string) => void

/** Signed transfers over the HTTP API to sealed batches, durable before each receipt; then all of it once more. */
export function measureSequencer(payers: number): Measurement {
  return {
    rows: ['sequencer.endToEnd', 'challenger.replay'],
    does: `sends signed transfers among ${payers} payers to a sequencer, 1,000 a request; then a challenger re-executes them all`,
    run: (say) =>
      onRollup([], async (rollup, load) => {
        const limit = await measureChecking()
        say(`signatures alone: ${printFigure(limit)}/s on two threads`)
        const { sent, batches } = await runLoad(
          rollup,
          load,
          { payers, isSigned: true, transfers: limit * RESERVE * SECONDS },
          say,
        )
        const end: Row = { ...rowOf('sequencer.endToEnd', sent, batches), limit, goal: { is: 'at least', value: 3000 } }
        say('a challenger begins with an empty disk')
        const replay = await replayAll(rollup, batches)
        return [end, { name: 'challenger.replay', unit: UNIT, value: replay, min: replay, max: replay, limit }]
      }),
  }
}

/** How long a payer waits for the receipt, at about half of what two cores take in requests as small as these. */
export function measureLatency(payers: number): Measurement {
  return {
    rows: ['receipt.latency'],
    does: `sends signed transfers among ${payers} payers at a quarter of the rate of checking signatures alone, ${PACED_ROWS} a request`,
    run: (say) =>
      onRollup([], async (rollup, load) => {
        const pace = (await measureChecking()) / 4
        const transfers = pace * PACED_SECONDS
        const { sent } = await runLoad(rollup, load, { payers, isSigned: true, transfers, pace }, say)
        const { median, p99, most } = sent.latency
        return [
          {
            name: 'receipt.latency',
            unit: 'ms, p99',
            value: p99,
            min: median,
            max: most,
            goal: { is: 'at most', value: 50 },
          },
        ]
      }),
  }
}

/** The same path, but that nobody checks a signature. */
export function measureUnchecked(payers: number): Measurement {
  return {
    rows: ['sequencer.withoutSignatures'],
    does: `sends transfers among ${payers} payers to a sequencer that checks no signatures, 1,000 a request`,
    run: (say) =>
      onRollup([UNCHECKED], async (rollup, load) => {
        const limit = await measureBuilding(payers)
        say(`building batches alone: ${printFigure(limit)}/s on one thread`)
        const { sent, batches } = await runLoad(
          rollup,
          load,
          { payers, isSigned: false, transfers: limit * RESERVE * SECONDS },
          say,
        )
        const goal = { is: 'at least', value: 100_000 } as const
        return [{ ...rowOf('sequencer.withoutSignatures', sent, batches), limit, goal }]
      }),
  }
}

async function onRollup(
  program: readonly string[],
  work: (rollup: Rollup, load: Load) => Promise<readonly Row[]>,
): Promise<readonly Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'kedge-bench-'))
  // Processes that were told to end may still write.
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
  const load = new Load()
  let rollup: Rollup | undefined
  try {
    rollup = await Rollup.start(folder, program.length === 0 ? undefined : program)
    // After the start, so that bitcoind is told to end first.
    process.once('exit', remove)
    return await work(rollup, load)
  } finally {
    await load.close()
    await rollup?.stop()
    process.off('exit', remove)
    remove()
  }
}

interface Plan {
  readonly payers: number
  readonly isSigned: boolean
  /** More than can be sent in the time. */
  readonly transfers: number
  /** Transfers a second; without one as many as are taken. */
  readonly pace?: number
}

interface Loaded {
  readonly sent: SentLoad
  readonly batches: readonly SealedLine[]
}

async function runLoad(rollup: Rollup, load: Load, plan: Plan, say: Say): Promise<Loaded> {
  const { payers, isSigned, pace } = plan
  const { params, sequencer } = rollup
  const url = sequencer.ready.api
  say(`making ${payers} payers`)
  await load.tell({ kind: 'prepare', params: paramsToJson(params), payers, isSigned })
  await rollup.deposit(keyOf(0, isSigned), depositFor(payers, params))
  await rollup.mineDuring(load.tell({ kind: 'create', url }))
  await rollup.sealedOperations(1 + payers)
  const lanes = pace === undefined ? LANES : PACED_LANES
  // Whole requests in each of the lanes.
  const round = lanes * (pace === undefined ? MAX_TRANSFERS : PACED_ROWS)
  const transfers = round * Math.ceil(plan.transfers / round)
  say(`making ${isSigned ? 'and signing ' : ''}${transfers} transfers`)
  await load.tell({ kind: 'sign', transfers, lanes })
  const seconds = pace === undefined ? SECONDS : PACED_SECONDS
  say(`sending for ${seconds} s${pace === undefined ? '' : `, ${printFigure(pace)} transfers a second`}`)
  const loaded = await rollup.mineDuring(sendAndSeal(rollup, load, { payers, seconds, ...(pace && { pace }) }))
  const { latency, transfers: count } = loaded.sent
  say(
    `${count} transfers in ${loaded.batches.length} batches; receipts after ${printFigure(latency.median)} ms (p99 ${printFigure(latency.p99)} ms)`,
  )
  return loaded
}

async function sendAndSeal(
  rollup: Rollup,
  load: Load,
  { payers, seconds, pace }: { readonly payers: number; readonly seconds: number; readonly pace?: number },
): Promise<Loaded> {
  const sent = await load.send(rollup.sequencer.ready.api, seconds, pace)
  return { sent, batches: await rollup.sealedOperations(1 + payers + sent.transfers) }
}

/**
 * From the first request to the last batch but one: the last is sealed when it is old enough, not when the load has filled
 * it. min and max are what was acknowledged in fifths of the time.
 */
function rowOf(name: string, { transfers, from, fifths }: SentLoad, batches: readonly SealedLine[]): Row {
  const [before, last] = batches.slice(-2)
  if (before === undefined || last === undefined) throw new Error('the load made fewer than two batches')
  const value = (1000 * (transfers - last.operations)) / (before.time - from)
  return { name, unit: UNIT, value, min: Math.min(...fifths), max: Math.max(...fifths) }
}

/** Transfers a second, from an empty disk to the head, the start of the process included. */
async function replayAll(rollup: Rollup, batches: readonly SealedLine[]): Promise<number> {
  await rollup.mineAll()
  const start = performance.now()
  const challenger = await rollup.addChallenger('challenger')
  const last = batches.at(-1)?.number
  const wait = { until: `the challenger is at batch ${last}`, withinMs: 180_000, check: () => challenger.check() }
  await waitFor(wait, async (note) => {
    const { head, synced } = await challenger.client.health()
    note(`at ${head.number}`)
    return head.number === last && synced ? true : undefined
  })
  const operations = batches.reduce((sum, batch) => sum + batch.operations, 0)
  return (1000 * operations) / (performance.now() - start)
}
