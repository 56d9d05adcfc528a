import { randomBytes } from 'node:crypto'
import { estimateFeeRate, parseAddress, printHash, readTransaction } from '@kedge/bitcoin'
import { FALLBACK_FEE_RATE } from '@kedge/node'
import { type BondSetup, cosignBond, fundBond, planBond, putSetup, readSetupStage, readSetups } from '@kedge/sequencer'
import type { Store } from '@kedge/storage'
import type { Command } from 'commander'
import { printSats } from '../amount.ts'
import { agree } from '../bond-command.ts'
import type { SetupOptions } from '../commands/bond/setup.ts'
import { ConfigError } from '../config-error.ts'
import type { Environment } from '../options.ts'
import { answer, columns } from '../output.ts'
import { withBondHost } from './host.ts'
import { type Operator, readOperator, withBondStore } from './operator.ts'

/** Blocks that bitcoind's estimate is for. */
const TARGET = 3

export async function setUpBond(command: Command, environment: Environment, options: SetupOptions): Promise<void> {
  const operator = readOperator(command, environment)
  const done = await withBondStore(operator, (store) => setUp(command, operator, store, options))
  answer(command, done, () => print(done))
}

async function setUp(command: Command, operator: Operator, store: Store, options: SetupOptions) {
  const { rpc, params, coins: key, config } = operator
  const estimate = await estimateFeeRate(rpc, TARGET, FALLBACK_FEE_RATE)
  const feeRate = Math.min(estimate, config['max-fee-rate'])
  const setup = (await findUnfinished(operator, store)) ?? (await plan(operator, options, feeRate))
  await agree(command, consequencesOf(operator, setup))
  await store.commit([putSetup(setup)])
  const signed = await cosign(operator, store, setup, options.timeout)
  await fundBond({ rpc, params, key, feeRate }, signed)
  return describe(operator, signed)
}

/** One that was begun and is not in blocks yet: there is never more than one. */
async function findUnfinished({ rpc }: Operator, store: Store): Promise<BondSetup | undefined> {
  for (const setup of await readSetups(store)) {
    const stage = await readSetupStage(rpc, setup)
    if (stage !== 'standing' && stage !== 'gone') return setup
  }
  return undefined
}

async function plan(operator: Operator, { value, returnTo }: SetupOptions, feeRate: number): Promise<BondSetup> {
  const { rpc, params, asked, coins, address } = operator
  const wanted = value ?? asked.minimum
  if (wanted < asked.minimum) throw new ConfigError(`the network asks for ${printSats(asked.minimum)} at least`)
  const to = returnTo === undefined ? coins.script : scriptOf(returnTo, params)
  try {
    return await planBond(rpc, params, coins, { value: wanted, returnTo: to, feeRate })
  } catch (cause) {
    if (!(cause instanceof Error && cause.name === 'InsufficientFundsError')) throw cause
    throw new ConfigError(`${cause.message}: send bitcoin to ${address}, and wait for a block`, { cause })
  }
}

function scriptOf(address: string, params: Operator['params']): Uint8Array {
  const parsed = parseAddress(address, params.chain)
  if (!parsed.ok) throw new ConfigError(`${address}: no address of ${params.chain}: ${parsed.reason}`)
  return parsed.script
}

function cosign(operator: Operator, store: Store, setup: BondSetup, timeout: number): Promise<BondSetup> {
  const { params, share, config } = operator
  if (setup.record.returned !== undefined) return Promise.resolve(setup)
  return withBondHost(params, config['p2p.bootstrap'], async (host) => {
    let last = 'nobody was asked'
    const parts = {
      ...{ store, params, key: share },
      ask: (message: Uint8Array, signal: AbortSignal) => host.askBond(message, signal),
      random: () => Uint8Array.from(randomBytes(32)),
      note: (text: string) => {
        if (text !== last) process.stderr.write(`waiting for the watchers: ${text}\n`)
        last = text
      },
    }
    const deadline = AbortSignal.timeout(timeout * 1000)
    try {
      return await cosignBond(parts, setup, deadline)
    } catch (cause) {
      if (!deadline.aborted) throw cause
      throw new ConfigError(
        `the watchers did not all sign within ${timeout} s: ${last}. Nothing is funded; run it again to go on`,
        { cause },
      )
    }
  })
}

function consequencesOf({ asked, params }: Operator, { record, funding }: BondSetup): string[] {
  const { bond, forfeit, returned } = record.terms
  const costs = bond.value + (record.terms.detectors[0]?.value ?? 0n) - returned.value
  return [
    `This stakes ${printSats(bond.value)} on the sequencer's word, in transaction ${printHash(readTransaction(funding).txid)}.`,
    `It can't be had back before T = ${asked.returnDelay} blocks are over, and then less ${printSats(costs)} for its return.`,
    `It covers batches for ${asked.epoch} blocks; before that time is over, set up the next one.`,
    `Two messages for one slot cost ${printSats(forfeit.value)} of it, by anybody's hand, and the rest goes to him;`,
    `so does the word of ${params.keys.threshold} of the ${params.keys.watchers.length} watchers, who give it for a batch that is void for a lie, and for a`,
    `broken promise: also where a sequencer that is down leaves one in no batch for ${params.windows.staleness} blocks.`,
  ]
}

function describe({ asked, params }: Operator, { record, funding }: BondSetup) {
  const { bond, detectors, forfeit, returned } = record.terms
  const txid = printHash(readTransaction(funding).txid)
  return {
    bond: { txid, vout: bond.outpoint.vout, sats: bond.value },
    detector: { txid, vout: detectors[0]?.outpoint.vout ?? 0, sats: detectors[0]?.value ?? 0n },
    returnDelay: asked.returnDelay,
    epoch: asked.epoch,
    forfeit: forfeit.value,
    returns: returned.value,
    depth: params.windows.originDepth,
  }
}

function print({ bond, detector, returnDelay, epoch, forfeit, returns, depth }: ReturnType<typeof describe>): string[] {
  return [
    ...columns([
      ['bond', `${bond.txid}:${bond.vout}, ${printSats(bond.sats)}`],
      ['detector', `${detector.txid}:${detector.vout}, ${printSats(detector.sats)}`],
      ['T', `${returnDelay} blocks: then kedge bond return gives ${printSats(returns)}`],
      ['epoch', `${epoch} blocks, for which it covers batches`],
      ['if slashed', `${printSats(forfeit)} are forfeited`],
    ]),
    `Signed by all watchers and sent to Bitcoin. It counts once both transactions are mined, and ${depth} deep.`,
  ]
}
