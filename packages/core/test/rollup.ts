import { type Balance, balanceOf } from '../src/balance.ts'
import { type BatchContext, BatchExecution, type BatchPlace } from '../src/batch.ts'
import { concatBytes, equalBytes, toHex } from '../src/bytes.ts'
import { type Chain, genesisChain, headOf } from '../src/chain.ts'
import type { Claim } from '../src/claim.ts'
import { deriveBlock } from '../src/derive.ts'
import type { Facts } from '../src/duty.ts'
import type { ChainEvent } from '../src/events.ts'
import type { Court } from '../src/evidence.ts'
import { executeExit, isExit } from '../src/exit.ts'
import { L1Facts } from '../src/facts.ts'
import { encodeHeader, type Header, headerHash, type Origin } from '../src/header.ts'
import type { L1Block, L1Input, L1Output, L1Transaction, Outpoint } from '../src/l1.ts'
import { Ledger } from '../src/ledger.ts'
import { merkleRoot, rowOf } from '../src/merkle.ts'
import { type Anchor, batchAnchor, markOf, resumeAnchor } from '../src/message.ts'
import { type Context, encodeOperation, type Operation, operationId } from '../src/operation.ts'
import { networkId, type Params } from '../src/params.ts'
import type { CommittedBatch } from '../src/prove.ts'
import { stepLeaves } from '../src/steps.ts'
import { genesisVault, isPaid } from '../src/vault.ts'
import { BASE_HASH, Bitcoin, isDepositScript, linkTransaction, spend, transaction, vaultOutput } from './bitcoin.ts'
import { slotsOf, tableRootOf } from './slots.ts'
import { isQuickSigned, network, params } from './world.ts'

/** A batch with all that its sequencer knows of it. */
export interface Batch extends CommittedBatch {
  readonly header: Header
  readonly hash: Uint8Array
  readonly claims: readonly Claim[]
  /** Undoes it on a ledger that stands after it. */
  readonly delta: Uint8Array
  /** The one whose link is the link before, if that is a batch's. */
  readonly before: Batch | undefined
}

export function contextOf(facts: Facts, origin: Origin, isSigned: Context['isSigned'] = isQuickSigned): BatchContext {
  return { params, network, facts, origin, originHeight: origin.height, isSigned }
}

export function courtOf(facts: Facts, isSigned: Context['isSigned'] = isQuickSigned, rules: Params = params): Court {
  return { params: rules, network: rules === params ? network : networkId(rules), facts, isSigned }
}

/** What a sequencer commits to: true, or not. */
export type Content = Pick<CommittedBatch, 'pre' | 'operations' | 'stepRoots'> & {
  readonly claims?: readonly Claim[]
  readonly delta?: Uint8Array
}

/** A header over the content, its fields replaced by `instead`. */
export function commit(place: BatchPlace, content: Content, instead: Partial<Header> = {}, before?: Batch): Batch {
  const { pre, operations, stepRoots } = content
  const header: Header = {
    ...place,
    pre,
    post: stepRoots.length === 0 ? pre : stepRoots.slice(-32),
    opsRoot: merkleRoot(rowOf(operations.map(operationId))),
    stepsRoot: merkleRoot(stepLeaves(pre, stepRoots)),
    opCount: operations.length,
    ...slotsOf(place.number, before),
    ...instead,
  }
  const headerBytes = encodeHeader(header)
  return {
    header,
    headerBytes,
    hash: headerHash(headerBytes),
    pre,
    operations,
    stepRoots,
    claims: content.claims ?? [],
    delta: content.delta ?? new Uint8Array(0),
    before,
  }
}

/** Executes operations (encoded, or not yet) behind what is due. @throws Error on a refusal. */
export function execute(
  context: BatchContext,
  ledger: Ledger,
  operations: readonly (Operation | Uint8Array)[],
): Content {
  const execution = new BatchExecution(context, ledger)
  execution.addDue((key) => findCell(ledger, key))
  for (const operation of operations) {
    const bytes = operation instanceof Uint8Array ? operation : encodeOperation(operation)
    const refusal = execution.addBytes(bytes)
    if (refusal !== undefined) throw new Error(`operation ${execution.count} is refused: ${refusal}`)
  }
  return execution.seal()
}

export function findCell(ledger: Ledger, owner: Uint8Array): number | undefined {
  for (let cell = 0; cell < ledger.tree.count; cell++) {
    if (equalBytes(ledger.tree.account(cell).owner, owner)) return cell
  }
  return undefined
}

export function ledgerBytes(ledger: Ledger): Uint8Array {
  return concatBytes(ledger.root, ledger.tree.page(0, ledger.tree.count))
}

/** The chain as a node derives it, block by block. */
export class Derivation {
  readonly court: Court
  readonly facts = new L1Facts(params.scanHeight)
  readonly events: ChainEvent[] = []
  chain: Chain = genesisChain(params, BASE_HASH)

  /** @param rules other data modes and caps than the tests' network has */
  constructor(isSigned?: Context['isSigned'], rules?: Params) {
    this.court = courtOf(this.facts, isSigned, rules)
  }

  follow(block: L1Block): readonly ChainEvent[] {
    const derived = deriveBlock(this.court, this.chain, block)
    this.facts.append(block.height, block.hash, derived.facts)
    this.chain = derived.chain
    this.events.push(...derived.events)
    return derived.events
  }

  /** Goes back to what the chain was. */
  rewind(chain: Chain): void {
    this.chain = chain
    this.facts.truncate(chain.height)
  }
}

/** Satoshis a deposit: less than the network's deposit fee. */
const SWEEP_FEE = 300n

/** One sequencer on one Bitcoin: what it builds stands on its ledger until it is void. */
export class Rollup {
  readonly bitcoin = new Bitcoin()
  readonly ledger = new Ledger()
  readonly isSigned: Context['isSigned']
  private readonly rules: Params
  derivation: Derivation
  /** Every batch it ever built, by its hash. */
  private readonly library = new Map<string, Batch>()
  /** Those on the ledger, the last ones perhaps not anchored yet. */
  private readonly built: Batch[] = []
  /** Steps of the exit, on top of the last final batch. */
  private readonly exits: { readonly height: number; readonly claims: readonly Claim[]; readonly delta: Uint8Array }[] =
    []
  private readonly finalAt = new Map<string, number>()
  /** Those that a link was made for, by their hash. */
  private readonly linked = new Set<string>()
  /** Of lies: who lies in a header marks its anchor as an honest one's, else it would never live. */
  private readonly marks = new Map<string, Uint8Array>()
  private next: { readonly outpoint: Outpoint; readonly number: number } = { outpoint: params.genesis, number: 0 }
  private vault: { readonly head: Outpoint; readonly value: bigint } = genesisVault(params)

  constructor(isSigned: Context['isSigned'] = isQuickSigned, rules: Params = params) {
    this.isSigned = isSigned
    this.rules = rules
    this.derivation = new Derivation(isSigned, rules)
  }

  get chain(): Chain {
    return this.derivation.chain
  }

  get facts(): L1Facts {
    return this.derivation.facts
  }

  get batches(): readonly Batch[] {
    return [...this.library.values()]
  }

  /** Mines a block and derives it. */
  mine(...transactions: readonly L1Transaction[]): readonly ChainEvent[] {
    const events = this.derivation.follow(this.bitcoin.mine(...transactions))
    this.heedAll(events)
    this.next = this.chain.link
    this.vault = this.chain.vault
    return events
  }

  mineUpTo(height: number): void {
    while (this.bitcoin.height < height) this.mine()
  }

  /** Drops all blocks above `height` and gives them; the sequencer stands where the others lead. */
  reorganise(height: number): L1Block[] {
    const dropped = this.bitcoin.rewind(height)
    this.derivation = new Derivation(this.isSigned, this.rules)
    for (const { delta } of this.exits.splice(0).reverse()) this.ledger.undo(delta)
    this.unstack(0)
    this.finalAt.clear()
    for (const block of this.bitcoin.blocks) this.heedAll(this.derivation.follow(block))
    this.next = this.chain.link
    this.vault = this.chain.vault
    return dropped
  }

  private heedAll(events: readonly ChainEvent[]): void {
    for (const event of events) this.heed(event)
    if (isExit(this.chain)) this.stepExit()
  }

  /** Bitcoin moves the ledger on by itself, from the last final batch. */
  private stepExit(): void {
    if (this.exits.length === 0)
      this.unstack(1 + this.built.findLastIndex(({ hash }) => equalBytes(hash, this.chain.final.headerHash)))
    const { height, hash } = this.chain
    const context = contextOf(this.facts, { height, hash }, this.isSigned)
    const { claims, delta } = executeExit(context, this.ledger, (key) => findCell(this.ledger, key))
    this.exits.push({ height, claims, delta })
  }

  /** All claims of the ledger, and from which block on each may be paid. */
  get claims(): readonly { readonly claim: Claim; readonly batch: number; readonly payableAt: number }[] {
    const { originDepth } = params.windows
    const batches = this.built.map(({ hash, header, claims }) => ({
      claims,
      batch: header.number,
      height: this.finalAt.get(toHex(hash)) ?? Number.POSITIVE_INFINITY,
    }))
    const exits = this.exits.map(({ claims, height }) => ({ claims, batch: this.chain.final.number, height }))
    return [...batches, ...exits].flatMap(({ claims, batch, height }) =>
      claims.map((claim) => ({ claim, batch, payableAt: height + originDepth })),
    )
  }

  /** What there is and what is owed: in order or not. */
  get balance(): Balance {
    const { facts, chain, ledger } = this
    const swept = facts.allSweptAfter(ledger.totals.depositCursor).map(({ deposit }) => deposit)
    const paid = this.claims.filter(({ claim }) => isPaid(chain.vault.paid, claim.number))
    const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n)
    const unspent = sum(facts.unspentDeposits().map(({ value }) => value))
    const uncredited = { count: swept.length, value: sum(swept.map(({ value }) => value)) }
    const kept = facts.sumSweptAfter(ledger.totals.depositCursor)
    if (facts.unspentValue !== unspent || kept.count !== uncredited.count || kept.value !== uncredited.value)
      throw new Error('the facts have summed up wrongly')
    return balanceOf(params, ledger.totals, chain.vault, {
      unspent,
      uncredited,
      paid: sum(paid.map(({ claim }) => claim.amount)),
    })
  }

  private heed(event: ChainEvent): void {
    if (event.kind === 'final') this.finalAt.set(toHex(event.headerHash), this.chain.height)
    if (event.kind === 'void') this.takeBack(event.headerHash)
    if (event.kind === 'link' && event.outcome === 'batch') this.adopt(event.headerHash)
    if (event.kind === 'link' && event.outcome === 'null' && this.chain.mode === 'broken') this.unstack(this.standing)
  }

  /** How many of the built batches the head stands on, itself included. */
  private get standing(): number {
    const head = headOf(this.chain).headerHash
    return 1 + this.built.findIndex(({ hash }) => equalBytes(hash, head))
  }

  /** Stands on a batch that Bitcoin has and the ledger has not: after a reorg. */
  private adopt(hash: Uint8Array): void {
    const batch = this.library.get(toHex(hash))
    if (batch === undefined || this.built.some((own) => equalBytes(own.hash, hash))) return
    const continues = equalBytes(batch.pre, this.ledger.root) && batch.delta.length > 0
    if (continues) this.ledger.redo(batch.delta)
    this.built.push(continues ? batch : { ...batch, delta: new Uint8Array(0) })
  }

  private takeBack(hash: Uint8Array): void {
    const at = this.built.findIndex((batch) => equalBytes(batch.hash, hash))
    if (at >= 0) this.unstack(at)
  }

  private unstack(from: number): void {
    for (const { delta } of this.built.splice(from).reverse()) if (delta.length > 0) this.ledger.undo(delta)
  }

  /** The next link; several before the next block follow one another. */
  link(anchor: Anchor): L1Transaction {
    const transaction = linkTransaction(this.next.outpoint, anchor)
    this.next = { outpoint: { txid: transaction.txid, vout: 1 }, number: this.next.number + 1 }
    return transaction
  }

  /** A spend of the vault's head, and of further outputs; several before the next block follow one another. */
  spendVault(inputs: readonly L1Input[], value: bigint, ...more: readonly L1Output[]): L1Transaction {
    const sent = transaction([spend(this.vault.head), ...inputs], [vaultOutput(value), ...more])
    this.vault = { head: { txid: sent.txid, vout: 0 }, value }
    return sent
  }

  /** Sweeps all deposits that these transactions make, at a fee that they pay for. */
  sweep(...transactions: readonly L1Transaction[]): L1Transaction {
    const made = transactions.flatMap(({ txid, outputs }) =>
      outputs.flatMap(({ script, value }, vout) =>
        isDepositScript(script) && value >= params.fees.minDeposit ? [{ previous: { txid, vout }, value }] : [],
      ),
    )
    const total = made.reduce((sum, { value }) => sum + value - SWEEP_FEE, this.vault.value)
    return this.spendVault(
      made.map(({ previous }) => spend(previous)),
      total,
    )
  }

  /** Deposits, and behind them their sweep. */
  swept(...deposits: readonly L1Transaction[]): L1Transaction[] {
    return [...deposits, this.sweep(...deposits)]
  }

  resume(): L1Transaction {
    return this.link(resumeAnchor(headOf(this.chain).headerHash, tableRootOf(this.next.number + 2)))
  }

  anchor(batch: Batch): L1Transaction {
    this.linked.add(toHex(batch.hash))
    const mark = this.marks.get(toHex(batch.hash))
    return this.link({ ...batchAnchor(batch.header, batch.hash), ...(mark && { mark }) })
  }

  /** Of an anchor that is mined next. */
  get mark(): Uint8Array {
    return markOf({ origin: this.origin, parent: headOf(this.chain).headerHash })
  }

  get origin(): Origin {
    const height = this.bitcoin.height
    return { height, hash: this.bitcoin.tip }
  }

  get context(): BatchContext {
    return contextOf(this.facts, this.origin, this.isSigned)
  }

  /** The place of the next batch, behind those that wait for their links. */
  get place(): BatchPlace {
    const waiting = this.built.filter(({ hash }) => !this.linked.has(toHex(hash))).length
    const parent = this.built.at(-1)?.hash ?? headOf(this.chain).headerHash
    const { network: id } = this.derivation.court
    return { network: id, number: this.next.number + 1 + waiting, parent, origin: this.origin }
  }

  /** The batch whose link is the one before the next batch's. */
  private get before(): Batch | undefined {
    const { number, parent } = this.place
    const batch = this.library.get(toHex(parent))
    return batch?.header.number === number - 1 ? batch : undefined
  }

  /** An honest batch on top of what was built before. */
  build(...operations: readonly (Operation | Uint8Array)[]): Batch {
    return this.put(execute(this.context, this.ledger, operations))
  }

  /** A batch of whatever content the ledger was led to. */
  put(content: Content, instead: Partial<Header> = {}): Batch {
    return this.keep(commit(this.place, content, instead, this.before))
  }

  /** Puts a lie into the place of the batch that was built last. */
  lie(instead: Partial<Header>, content: Partial<Content> = {}): Batch {
    const honest = this.built.pop()
    if (honest === undefined) throw new Error('nothing was built to lie about')
    const { network: id, number, parent, origin } = honest.header
    const place = { network: id, number, parent, origin }
    const lie = commit(place, { ...honest, ...content }, instead, honest.before)
    this.marks.set(toHex(lie.hash), markOf(honest.header))
    return this.keep(lie)
  }

  /** Mines a batch's link. */
  post(batch: Batch): readonly ChainEvent[] {
    return this.mine(this.anchor(batch))
  }

  private keep(batch: Batch): Batch {
    this.built.push(batch)
    this.library.set(toHex(batch.hash), batch)
    return batch
  }
}

/** A rollup that has resumed from genesis: its first batch may come. */
export function startedRollup(isSigned?: Context['isSigned'], rules?: Params): Rollup {
  const rollup = new Rollup(isSigned, rules)
  rollup.mine()
  rollup.mine(rollup.resume())
  return rollup
}
