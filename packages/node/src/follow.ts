import {
  type Coin,
  type Coins,
  NO_COINS,
  printOutpoint,
  type Rpc,
  readBlock,
  readBlockHash,
  readRawBlock,
  readTip,
  scanBlock,
} from '@kedge/bitcoin'
import {
  type Chain,
  type ChainEvent,
  type Court,
  type Derived,
  deriveBlock,
  equalBytes,
  genesisChain,
  type L1Block,
  L1Facts,
  type L1Transaction,
  paidBetween,
} from '@kedge/core'
import {
  blocks,
  DamagedError,
  type LinkRecord,
  links,
  type NoticeRecord,
  notices,
  payouts,
  type Store,
  type StoredCoin,
  type Write,
} from '@kedge/storage'
import { LeftBlocks } from './left-blocks.ts'
import { LinkIndex } from './links.ts'

/** What happened at one step of following Bitcoin. */
export type FollowStep =
  | { readonly kind: 'block'; readonly block: L1Block; readonly derived: Derived }
  | { readonly kind: 'rollback'; readonly to: number; readonly blocks: number }
  | { readonly kind: 'tip' }

export interface FollowerParts {
  readonly store: Store
  readonly rpc: Rpc
  /** Everything but the facts, which the follower keeps. */
  readonly court: Omit<Court, 'facts'>
  /** The node's own output script, whose coins are counted. */
  readonly script: Uint8Array
}

/**
 * Follows Bitcoin's best chain: the only way the chain's state moves. One `step` is one block forward, or back to the
 * fork. Order of effects: derive (pure), one atomic synced commit, then memory, then the caller's reaction.
 */
export class Follower {
  private readonly parts: FollowerParts
  readonly facts: L1Facts
  readonly court: Court
  chain: Chain
  links: LinkIndex
  coins: Coins = NO_COINS
  readonly left: LeftBlocks

  private constructor(parts: FollowerParts, chain: Chain, left: LeftBlocks) {
    this.parts = parts
    this.left = left
    this.facts = new L1Facts(parts.court.params.scanHeight)
    this.court = { ...parts.court, facts: this.facts }
    this.chain = chain
    this.links = new LinkIndex()
  }

  /** Takes up where the store left off. @throws TooShortChainError when the backend is below the scan height; DamagedError */
  static async open(parts: FollowerParts): Promise<Follower> {
    const { params } = parts.court
    const parent = await readBlockHash(parts.rpc, params.scanHeight - 1)
    if (parent === undefined) throw new TooShortChainError(params.scanHeight)
    const follower = new Follower(parts, genesisChain(params, parent), await LeftBlocks.load(parts.store))
    for await (const [height, record] of parts.store.range(blocks)) {
      const next = follower.facts.tip + 1
      if (height !== next)
        throw new DamagedError(`the record of block ${next} is missing, and that of ${height} is not`)
      follower.facts.append(height, record.hash, record.facts)
      follower.chain = record.chain
      follower.coins = coinsOf(record.coins)
    }
    const records: LinkRecord[] = []
    for await (const [, record] of parts.store.range(links)) records.push(record)
    follower.links = new LinkIndex(records)
    return follower
  }

  /** One step towards the backend's tip. `writes` adds to a block's commit what must not be lost between. */
  async step(writes: (derived: Derived) => readonly Write[]): Promise<FollowStep> {
    const { rpc } = this.parts
    const next = await readBlockHash(rpc, this.chain.height + 1)
    const here = await readBlockHash(rpc, this.chain.height)
    if (here === undefined || !equalBytes(here, this.chain.hash)) return this.rollBack()
    if (next === undefined) return { kind: 'tip' }
    const block = readBlock(await readRawBlock(rpc, next), this.chain.height + 1)
    // The tip may have moved between the two calls; the next step then finds the fork.
    if (!equalBytes(block.parent, this.chain.hash)) return { kind: 'tip' }
    return this.append(block, writes)
  }

  private async append(block: L1Block, writes: (derived: Derived) => readonly Write[]): Promise<FollowStep> {
    const derived = deriveBlock(this.court, this.chain, block)
    const coins = withoutDust(scanBlock(this.coins, block, this.parts.script))
    const changed = this.links.applied(block.height, derived.events)
    const record = {
      hash: block.hash,
      chain: derived.chain,
      facts: derived.facts,
      coins: [...coins.values()].map(storedCoin),
    }
    await this.parts.store.commit([
      blocks.put(block.height, record),
      ...changed.map((link) => links.put(link.number, link)),
      ...noticesOf(block, derived.events),
      ...payoutsOf(block.height, derived.events),
      ...writes(derived),
    ])
    this.facts.append(block.height, block.hash, derived.facts)
    for (const link of changed) this.links.put(link)
    this.chain = derived.chain
    this.coins = coins
    return { kind: 'block', block, derived }
  }

  /** Back to the last common block. Its record holds the whole chain state, so nothing is undone piece by piece. */
  private async rollBack(): Promise<FollowStep> {
    const { store, court, rpc } = this.parts
    const from = this.chain.height
    const { fork, tip } = await this.findFork()
    // It knows none but these blocks: it was killed before it had written the rest, or was restored. Nothing replaces
    // them, and its peers give it back what it lacks.
    if (tip <= fork || fork === from) return { kind: 'tip' }
    const record = fork < court.params.scanHeight ? undefined : await store.get(blocks, fork)
    if (record === undefined && fork >= court.params.scanHeight)
      throw new DamagedError(`the record of block ${fork} is missing`)
    const parent = await readBlockHash(rpc, court.params.scanHeight - 1)
    if (parent === undefined) throw new TooShortChainError(court.params.scanHeight)
    const { kept, dropped } = this.links.rolledBack(fork)
    const heights = Array.from({ length: from - fork }, (_, at) => fork + 1 + at)
    const left = heights.flatMap((height) => this.facts.blockHash(height) ?? [])
    const stale = await this.noticeKeysAbove(fork)
    const before = record?.chain ?? genesisChain(court.params, parent)
    const unpaid = paidBetween(before.vault.paid, this.chain.vault.paid)
    await store.commit([
      ...heights.map((height) => blocks.del(height)),
      ...this.left.writesOf(left),
      ...kept.map((link) => links.put(link.number, link)),
      ...dropped.map((number) => links.del(number)),
      ...stale.map((key) => notices.del(key)),
      ...unpaid.map((claim) => payouts.del(claim)),
    ])
    for (const link of kept) this.links.put(link)
    this.links.drop(dropped)
    this.left.note(left)
    this.facts.truncate(fork)
    this.chain = before
    this.coins = coinsOf(record?.coins ?? [])
    return { kind: 'rollback', to: fork, blocks: from - fork }
  }

  /** Heights of the last common block and of the backend's last one. */
  private async findFork(): Promise<{ readonly fork: number; readonly tip: number }> {
    const { rpc, court } = this.parts
    const tip = (await readTip(rpc)).height
    let height = Math.min(this.chain.height, tip)
    for (; height >= court.params.scanHeight; height--) {
      const theirs = await readBlockHash(rpc, height)
      const ours = this.facts.blockHash(height)
      if (theirs !== undefined && ours !== undefined && equalBytes(theirs, ours)) break
    }
    return { fork: Math.max(height, court.params.scanHeight - 1), tip }
  }

  private async noticeKeysAbove(height: number): Promise<Uint8Array[]> {
    const keys: Uint8Array[] = []
    for await (const [key] of this.parts.store.range(notices, { from: noticeKey(height + 1, 0) })) keys.push(key)
    return keys
  }
}

/** Height and the transaction's place in the block, big-endian: newest last. */
export function noticeKey(height: number, tx: number): Uint8Array {
  const key = new Uint8Array(8)
  const view = new DataView(key.buffer)
  view.setUint32(0, height)
  view.setUint32(4, tx)
  return key
}

/** A transaction carries at most one message, and the events of messages come in the transactions' order. */
function noticesOf(block: L1Block, events: readonly ChainEvent[]): Write[] {
  let tx = 0
  return events.flatMap((event, at) => {
    const notice = noticeOf(block.height, event, events[at + 1])
    if (notice === undefined) return []
    while (!equalBytes((block.transactions[tx] as L1Transaction).txid, notice.txid)) tx++
    return [notices.put(noticeKey(block.height, tx), notice)]
  })
}

function payoutsOf(height: number, events: readonly ChainEvent[]): Write[] {
  return events.flatMap((event) =>
    event.kind === 'vault' ? event.claims.map((claim) => payouts.put(claim, { height, txid: event.txid })) : [],
  )
}

function noticeOf(height: number, event: ChainEvent, next: ChainEvent | undefined): NoticeRecord | undefined {
  if (event.kind === 'ignored' && 'headerHash' in event) {
    const { txid, headerHash, message, reason } = event
    return { height, txid, headerHash, kind: message, outcome: 'ignored', reason }
  }
  if (event.kind === 'challenged') {
    const { txid, headerHash, number, data, deadline } = event
    return { height, txid, headerHash, kind: 'challenge', outcome: 'raised', number, data, deadline }
  }
  if (event.kind === 'part') {
    const { txid, headerHash, number, data } = event
    return {
      height,
      txid,
      headerHash,
      kind: 'part',
      outcome: next?.kind === 'answered' ? 'answered' : 'part',
      number,
      data,
    }
  }
  if (event.kind !== 'void' || event.txid === undefined || event.fault === undefined) return undefined
  const { txid, headerHash, number, fault } = event
  return { height, txid, headerHash, kind: 'evidence', outcome: 'void', number, fault }
}

/**
 * Satoshis below which a coin of the node's is not worth the fee of spending it. Anybody may send it such coins, and each
 * block's record holds them all.
 */
const LEAST_COIN = 1_000n

function withoutDust(coins: Coins): Coins {
  const kept = [...coins].filter(([, { value }]) => value >= LEAST_COIN)
  return kept.length === coins.size ? coins : new Map(kept)
}

function storedCoin(coin: Coin): StoredCoin {
  const { outpoint, value, height, coinbase } = coin
  return { txid: outpoint.txid, vout: outpoint.vout, value, height: height as number, coinbase }
}

function coinsOf(stored: readonly StoredCoin[]): Coins {
  const coins = stored.map(
    ({ txid, vout, value, height, coinbase }): Coin => ({ outpoint: { txid, vout }, value, height, coinbase }),
  )
  return new Map(coins.map((coin) => [printOutpoint(coin.outpoint), coin]))
}

/** The backend hasn't reached the network's first block. */
export class TooShortChainError extends Error {
  override readonly name = 'TooShortChainError'

  constructor(scanHeight: number) {
    super(
      `bitcoind's chain ends below block ${scanHeight}, where this network begins: let it sync, or check that it is the right chain`,
    )
  }
}
