import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import {
  addressOf,
  type CoinKey,
  checkBackend,
  coinKey,
  RPC_CODES,
  RpcError,
  RpcUnreachableError,
  readTip,
} from '@kedge/bitcoin'
import {
  type Derived,
  decodeHeader,
  encodeSigned,
  equalBytes,
  hasherName,
  installHasher,
  MAX_CERTIFIED_PART,
  networkId,
  type SignedOperation,
} from '@kedge/core'
import {
  type AnswerBond,
  type AnswerWatcher,
  createHost,
  type Host,
  HostStoppedError,
  type TakeTransfers,
} from '@kedge/p2p'
import { createVerifier, isSigned, type Verifier, type VerifierOptions } from '@kedge/signatures'
import { Store, type Write } from '@kedge/storage'
import { BatchData } from './data.ts'
import { Executor, type Rejection } from './execute.ts'
import { Follower, type FollowStep } from './follow.ts'
import { fastestHasher } from './hasher.ts'
import type { NodeOptions } from './options.ts'
import { SeenTicks, type WatchTick } from './seen-ticks.ts'
import type { Head } from './snapshot.ts'
import { solvencyOf } from './solvency.ts'
import { StepThread } from './step-thread.ts'
import { cappedOf, pinnedOf, type Upkeep } from './upkeep.ts'

/** What a role adds to a node. Called by the node's one loop, never two at once. */
export interface Role {
  /** After a step that moved the chain, and before the next: `Executor.rolledBack` has to follow a rollback here. */
  stepped(step: Exclude<FollowStep, { kind: 'tip' }>): Promise<void>
  /** Moves the ledger, and acts: at every turn of the loop, also when nothing moved. */
  act(signal: AbortSignal): Promise<void>
  upkeep(): Upkeep
}

/** The parts that all nodes have. */
export interface NodeParts {
  readonly options: NodeOptions
  readonly network: Uint8Array
  readonly store: Store
  readonly follower: Follower
  readonly executor: Executor
  readonly data: BatchData
  readonly verifier: Verifier
  readonly host: Host
  readonly seenTicks: SeenTicks
  readonly coins: CoinKey
  readonly steps: StepThread
  /** Ends the loop's pause early. */
  readonly news: News
}

/** What the roles differ in while a node is opened. */
export interface Openings {
  readonly ownTail: () => readonly Head[]
  /** Whether to answer a peer's request: a node that serves everything it has says yes. */
  readonly mayServe: (headerHash: Uint8Array, kind: 'header' | 'data' | 'steps') => boolean
  readonly takeTransfers?: TakeTransfers
  /** For a sequencer: peers are told what it signs. */
  readonly tellsTicks?: boolean
  /** For who holds the sequencer to its ticks: told of each that comes, from peers or with a receipt. */
  readonly watchTick?: WatchTick
  readonly answerWatcher?: AnswerWatcher
  readonly answerCertify?: AnswerWatcher
  readonly answerBond?: AnswerBond
  /** For the benchmark alone. */
  readonly verifier?: Pick<VerifierOptions, 'engine' | 'benchmarkOnly'>
}

/** Rows of shared memory: four of the largest batches, in 256-byte rows: two that are sealed and checked, two that wait. */
const VERIFIER_ROWS = 32_768

/** Rows for the single payments that all connections may have under way, and some requests of a few. */
const URGENT_ROWS = 2048

/** Between two looks at bitcoind when nothing else happens. */
const POLL_MS = 200

/** Opens everything in the order of dependence; what is open is closed again when a later part fails. */
export async function openNode(options: NodeOptions, openings: Openings): Promise<NodeParts> {
  const { params, rpc, secrets, log } = options
  installHasher(fastestHasher())
  await checkBackend(rpc, params)
  const network = networkId(params)
  const coins = coinKey(secrets.coins)
  const store = await Store.open(join(options.dataDir, 'db'), network)
  const opened: (() => Promise<void>)[] = [() => store.close()]
  try {
    const verifier = await createVerifier({
      workers: options.workers,
      network,
      capacityRows: VERIFIER_ROWS,
      urgentRows: URGENT_ROWS,
      ...openings.verifier,
    })
    opened.push(() => verifier.close())
    const court = {
      params,
      network,
      isSigned: (owner: Uint8Array, operation: SignedOperation) => isSigned(network, owner, encodeSigned(operation)),
    }
    const follower = await Follower.open({ store, rpc, court, script: coins.script })
    const seenTicks = new SeenTicks(params, network, openings.watchTick)
    const host = await createHost({
      secretKey: secrets.peer,
      network,
      listen: options.p2p.listen,
      bootstrap: options.p2p.bootstrap,
      validateHeader: (bytes) => judgeAnnounced(network, bytes),
      answerData: async ({ headerHash, kind }) =>
        openings.mayServe(headerHash, kind) ? await data.answer(headerHash, kind) : undefined,
      ticks: seenTicks,
      tellsTicks: openings.tellsTicks ?? false,
      ...(openings.answerBond && { answerBond: openings.answerBond }),
      ...(openings.takeTransfers && { takeTransfers: openings.takeTransfers }),
      ...(openings.answerWatcher && { answerWatcher: openings.answerWatcher }),
      ...(openings.answerCertify && { answerCertify: openings.answerCertify }),
      ...(params.data?.kind === 'certified' && { limits: { maxDataResponse: MAX_CERTIFIED_PART } }),
      report: (error) => log.error({ err: error }, 'a peer request could not be answered'),
    })
    opened.push(() => host.stop())
    const data: BatchData = new BatchData(store, (request, fetching) => host.fetch(request, fetching))
    const executor = new Executor({ store, follower, data, verifier, ownTail: openings.ownTail })
    await executor.load()
    log.info(
      { height: follower.chain.height, batch: executor.head.number, engine: verifier.engine, hasher: hasherName() },
      'opened',
    )
    const steps = new StepThread()
    const news = new News()
    host.subscribe(() => news.ring())
    return { options, network, store, follower, executor, data, verifier, host, coins, steps, news, seenTicks }
  } catch (error) {
    for (const close of opened.reverse()) await close()
    throw error
  }
}

/** The ledger is left on disk as of its last snapshot: `Executor.flush` comes before, where nothing went wrong. */
export async function closeNode(parts: NodeParts): Promise<void> {
  await parts.host.stop()
  await parts.steps.close()
  await parts.verifier.close()
  await parts.store.close()
}

export function fundingAddressOf(parts: NodeParts): string {
  return addressOf(parts.coins.script, parts.options.params.chain)
}

/**
 * The heart of every node: Bitcoin's next block, then the ledger, then what the role does about it; until `signal`.
 * What bitcoind or the network fail at is tried again; a broken invariant ends the node.
 */
export async function runNode(parts: NodeParts, role: Role, signal: AbortSignal): Promise<void> {
  const { log, rpc } = parts.options
  let told: Rejection | undefined
  let weighed: Uint8Array | undefined
  let capped: ReadonlySet<string> = new Set()
  let pinned: ReadonlySet<string> = new Set()
  while (!signal.aborted) {
    try {
      await followToTip(parts, role, signal)
      await role.act(signal)
      told = tellRejection(parts, told)
      weighed = weigh(parts, weighed)
      capped = tellCapped(parts, role.upkeep(), capped)
      pinned = tellPinned(parts, role.upkeep(), pinned)
      await parts.news.next(POLL_MS, signal)
    } catch (error) {
      if (signal.aborted && (error === signal.reason || isTemporary(error))) break
      if (!isTemporary(error)) throw error
      log.warn({ err: error, url: rpc.url }, 'bitcoind does not answer: trying again')
      await sleep(1000, signal)
    }
  }
}

async function followToTip(parts: NodeParts, role: Role, signal: AbortSignal): Promise<void> {
  const { follower } = parts
  const { log } = parts.options
  for (let blocks = 1; !signal.aborted; blocks++) {
    const step = await follower.step((derived) => publishedParts(parts.data, derived))
    if (step.kind === 'tip') return
    if (step.kind === 'rollback') {
      log.warn({ to: step.to, blocks: step.blocks }, 'Bitcoin reorganised: rolled back to the fork')
    } else {
      logBlock(parts, step)
      if (blocks % 1000 === 0)
        log.info({ height: follower.chain.height, tip: (await readTip(parts.options.rpc)).height }, 'catching up')
    }
    await role.stepped(step)
  }
}

/** Once for each block: there must be as much as is owed. Gives the block. */
function weigh({ options, follower, executor }: NodeParts, weighed: Uint8Array | undefined): Uint8Array {
  const { hash, height } = follower.chain
  if (weighed !== undefined && equalBytes(weighed, hash)) return hash
  const balance = solvencyOf(options.params, follower, executor)
  if (balance !== undefined && balance.assets < balance.liabilities)
    options.log.error({ height, ...balance }, 'the vault holds less than is owed')
  return hash
}

/** Once for each transaction that the cap on fees holds back, as long as it does. Gives their names. */
function tellCapped({ options }: NodeParts, upkeep: Upkeep, told: ReadonlySet<string>): ReadonlySet<string> {
  const capped = cappedOf(upkeep)
  for (const { name, deadline, feeRate } of capped.filter((one) => !told.has(one.name)))
    options.log.error(
      { name, deadline, feeRate, cap: upkeep.cap },
      'it pays all that the cap on fees allows, and waits: raise --max-fee-rate before its deadline',
    )
  return new Set(capped.map(({ name }) => name))
}

/** Once for each transaction that others' children hold back, as long as they do. Gives their names. */
function tellPinned({ options }: NodeParts, upkeep: Upkeep, told: ReadonlySet<string>): ReadonlySet<string> {
  const pinned = pinnedOf(upkeep)
  for (const { name, pinnedBy, feeRate } of pinned.filter((one) => !told.has(one.name)))
    options.log.error(
      { name, pinnedBy, feeRate },
      'what others hung on it makes it too dear to replace: it waits. A bitcoind that keeps BIP431 takes no such children',
    )
  return new Set(pinned.map(({ name }) => name))
}

/** Once for each batch that is found faulty, and once more when its proof is complete. */
function tellRejection({ executor, options }: NodeParts, told: Rejection | undefined): Rejection | undefined {
  const { rejection } = executor
  if (rejection !== undefined && !isSame(rejection, told)) {
    const { number, fault, evidence } = rejection
    options.log.warn({ number, fault, proven: evidence !== undefined }, 'a batch is rejected: it is faulty')
  }
  return rejection
}

/** A batch can be found faulty anew at each turn. */
function isSame(rejection: Rejection, told: Rejection | undefined): boolean {
  const { number, headerHash, fault, evidence } = rejection
  return (
    told !== undefined &&
    told.number === number &&
    equalBytes(told.headerHash, headerHash) &&
    told.fault === fault &&
    (told.evidence === undefined) === (evidence === undefined)
  )
}

/** Data that were published in answer to a challenge are kept with the block that shows them. */
function publishedParts(data: BatchData, derived: Derived): Write[] {
  return derived.events.flatMap((event) => (event.kind === 'part' ? data.writesOfPart(event) : []))
}

function logBlock(parts: NodeParts, { block, derived }: Extract<FollowStep, { kind: 'block' }>): void {
  const { log } = parts.options
  log.debug({ height: block.height, transactions: block.transactions.length }, 'block')
  for (const event of derived.events) {
    const number = 'number' in event ? event.number : undefined
    if (event.kind === 'void')
      log.warn({ height: block.height, number, cause: event.cause, fault: event.fault }, 'a batch is void')
    else if (event.kind === 'ignored')
      log.info({ height: block.height, message: event.message, reason: event.reason }, 'ignored')
    else log.info({ height: block.height, number, ...('outcome' in event && { outcome: event.outcome }) }, event.kind)
  }
}

/** Whatever may let the node go on at once: a peer's announcement, a batch that was sealed. */
export class News {
  private rung = false
  private wake: () => void = () => undefined

  ring(): void {
    this.rung = true
    this.wake()
  }

  /** Resolves at the next ring (or one since the last call), or after `ms`. */
  async next(ms: number, signal: AbortSignal): Promise<void> {
    const woken = new Promise<void>((resolve) => {
      this.wake = resolve
    })
    if (!this.rung) await Promise.race([woken, sleep(ms, signal)])
    this.rung = false
  }
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(ms, undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

function judgeAnnounced(network: Uint8Array, bytes: Uint8Array): 'accept' | 'reject' {
  const header = decodeHeader(bytes)
  return header !== undefined && equalBytes(header.network, network) ? 'accept' : 'reject'
}

/** A bitcoind that was started again answers that it is warming up until it has read its blocks. */
function isTemporary(error: unknown): boolean {
  const isWarmingUp = error instanceof RpcError && error.code === RPC_CODES.warmup
  return isWarmingUp || error instanceof RpcUnreachableError || error instanceof HostStoppedError
}
