import type { Header as HeaderView, Health } from '@kedge/api'
import type { Deposit, ForcedEntry } from '@kedge/core'
import type { Host } from '@kedge/p2p'
import type { Verifier } from '@kedge/signatures'
import type { Store } from '@kedge/storage'
import { BitcoinTip } from './bitcoin-tip.ts'
import { BlockHeaders } from './block-headers.ts'
import { ChallengeIndex } from './challenge-index.ts'
import type { BatchData } from './data.ts'
import { DoubtfulBatches } from './doubtful.ts'
import type { Executor } from './execute.ts'
import { depositIndex, type FactIndex, forcedIndex } from './fact-index.ts'
import type { Follower } from './follow.ts'
import { HeldBatches } from './held.ts'
import { Inclusions } from './inclusion.ts'
import type { Intake } from './intake.ts'
import { type Line, readLine } from './line.ts'
import { Lookup } from './lookup.ts'
import { OpenLookup, type OpenOperations } from './open-lookup.ts'
import type { NodeOptions } from './options.ts'
import { Recent } from './recent.ts'
import { Turns } from './turns.ts'
import type { Upkeep } from './upkeep.ts'

/** Of a node, what its API tells about. */
export interface QueriedNode {
  readonly options: Pick<NodeOptions, 'params' | 'rpc'>
  readonly network: Uint8Array
  readonly store: Store
  readonly follower: Follower
  readonly executor: Executor
  readonly data: BatchData
  readonly verifier: Pick<Verifier, 'engine'>
  readonly host: Pick<Host, 'peers'>
}

export interface QueryParts {
  readonly node: QueriedNode
  readonly intake: Intake
  readonly role: 'sequencer' | 'challenger'
  readonly upkeep: () => Upkeep
  /** How far a watcher is with the vault's next spend. */
  readonly watcher?: () => Health['watcher']
  /** The batch that a sequencer is building: its operations are in the ledger already. */
  readonly openBatch?: () => OpenOperations | undefined
  /** False while a sequencer leaves aside what it has promised: it is not sure to have the newest data. */
  readonly isSure?: () => boolean
}

/** What the routes' responders work with. */
export interface QueryContext extends QueryParts {
  readonly lookup: Lookup
  readonly openLookup: OpenLookup
  readonly held: HeldBatches
  readonly deposits: FactIndex<Deposit>
  readonly forced: FactIndex<ForcedEntry>
  readonly challenges: ChallengeIndex
  readonly doubtful: DoubtfulBatches
  readonly inclusions: Inclusions
  readonly blockHeaders: BlockHeaders
  readonly tip: BitcoinTip
  /** By their hashes, those asked for last: pages of batches are made of them. */
  readonly headerViews: Recent<HeaderView>
  /** Of large requests whose nonces are used. */
  readonly usedTurns: Turns
}

/** Headers that are kept as they are told, some 2.5 kB each. */
const HEADER_VIEWS = 1024

/** Rows with used nonces that wait to be looked for. */
const USED_ROWS = 8192

export function contextOf(parts: QueryParts): QueryContext {
  const { store, follower, options, network } = parts.node
  const held = new HeldBatches(store)
  return {
    ...parts,
    lookup: new Lookup(parts.node),
    openLookup: new OpenLookup(),
    held,
    deposits: depositIndex(follower.facts),
    forced: forcedIndex(follower.facts, network),
    challenges: new ChallengeIndex(store, follower),
    doubtful: new DoubtfulBatches({ follower, held, network }),
    inclusions: new Inclusions(options.rpc),
    blockHeaders: new BlockHeaders(options.rpc),
    tip: new BitcoinTip(options.rpc),
    headerViews: new Recent(HEADER_VIEWS),
    usedTurns: new Turns(USED_ROWS),
  }
}

export function lineOf({ node, role }: QueryContext): Promise<Line> {
  return readLine(node, role === 'sequencer')
}

/** When a request is to be tried again for which the node has to read something first. */
export const RETRY_MS = 1000

/** Blocks, and batches, that a node may lag behind and still tell about accounts: it is that far behind for moments. */
const TOLERATED_LAG = 6

/** Whether the ledger is so old, for want of time and not of data, that what it says would mislead. */
export async function isFarBehind({ node, tip }: QueryContext): Promise<boolean> {
  const { follower, executor } = node
  const height = await tip.height()
  if (height !== undefined && height - follower.chain.height > TOLERATED_LAG) return true
  if (executor.pending !== undefined || executor.rejection !== undefined) return false
  let at = executor.head.number
  for (let lag = 0; lag <= TOLERATED_LAG; lag++) {
    const next = follower.links.nextLive(at)
    if (next === undefined) return false
    at = next.number
  }
  return true
}

/** Whether the ledger stands at Bitcoin's tip with nothing missing. */
export async function isSynced({ node, tip, isSure }: QueryContext): Promise<boolean> {
  const height = await tip.height()
  if (isSure?.() === false) return false
  return height !== undefined && node.follower.chain.height >= height && node.executor.isCaughtUp
}
