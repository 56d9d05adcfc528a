import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  build,
  buildAnchor,
  buildChallenge,
  buildCommit,
  buildDeposit,
  buildReveal,
  buildVaultSpend,
  type Coin,
  coinKey,
  keySpend,
  type Link,
  publicKeyOf,
  sendTransaction,
  signHash,
  tweakSecret,
} from '@kedge/bitcoin'
import {
  type Anchor,
  anchorScript,
  BatchExecution,
  batchAnchor,
  buildHeader,
  type Claim,
  certifiableOf,
  depositOutput,
  encodeHeader,
  encodeHeaderPart,
  encodeMessage,
  encodeSigned,
  encodeWhole,
  type Header,
  headerHash,
  headOf,
  Ledger,
  type Message,
  networkId,
  type Outpoint,
  type Params,
  planPayout,
  regtestRules,
  resumeAnchor,
  type SealedBatch,
  type SignedOperation,
  signedMessage,
  type Transfer,
  takeoverLeaf,
  tapLeafHash,
  toHex,
  transferMessage,
  vaultOutput,
  vaultScript,
  type Withdrawal,
  withdrawalMessage,
  ZERO_HASH,
} from '@kedge/core'
import { Bitcoind, SlotSigner } from '@kedge/regtest'
import { createVerifier, isSigned } from '@kedge/signatures'
import { Store } from '@kedge/storage'
import { BatchData } from '../src/data.ts'
import { Executor } from '../src/execute.ts'
import { Follower } from '../src/follow.ts'
import type { Head } from '../src/snapshot.ts'
import { NODE_SECRET, TestNode } from './test-node.ts'

/** A network on a real bitcoind, whose sequencer does what a test says. */

export const secretOf = (seed: number): Uint8Array => new Uint8Array(32).fill(seed)
export const keyOf = (seed: number): Uint8Array => publicKeyOf(secretOf(seed))
export const keyHex = (seed: number): string => toHex(keyOf(seed))

const ANCHOR_SECRET = secretOf(1)
export const SLOT_SECRET = secretOf(2)
const WATCHERS = [secretOf(4), secretOf(5)]
/** Satoshis: the vault's first output, and what a sweep pays. */
const VAULT_VALUE = 10_000n
const REFUND_KEY = keyOf(62)
const SWEEP_FEE = 500n
const FEE_RATE = 2
const LINK_VALUE = 5_000_000n

/** What a payment says beside who pays whom how much. */
type Payment = Pick<Transfer, 'from' | 'toCell' | 'amount'> & Partial<Omit<Transfer, 'kind' | 'to' | 'signature'>>

export interface Built {
  readonly number: number
  readonly header: Header
  readonly bytes: Uint8Array
  readonly hash: Uint8Array
  readonly sealed: SealedBatch
  readonly wholes: { readonly data: Uint8Array; readonly steps: Uint8Array }
}

export class Rollup {
  readonly bitcoind: Bitcoind
  readonly params: Params
  readonly network: Uint8Array
  /** What peers would answer, by kind and header hash. */
  readonly peers = new Map<string, Uint8Array>()
  readonly ledger = new Ledger()
  private link: Link
  private number = 0
  private readonly slots: SlotSigner
  private readonly folder: string
  private readonly closers: (() => Promise<void>)[] = []
  private vault: { readonly head: Outpoint; readonly value: bigint }
  private unanchored: Built[] = []
  private parent: Uint8Array = ZERO_HASH
  private isBehindResume = true

  private constructor(bitcoind: Bitcoind, params: Params, folder: string) {
    this.bitcoind = bitcoind
    this.params = params
    this.network = networkId(params)
    this.slots = new SlotSigner(params, SLOT_SECRET)
    this.folder = folder
    this.vault = { head: params.vault, value: VAULT_VALUE }
    this.link = { outpoint: params.genesis, value: LINK_VALUE }
  }

  /** @param rules instead of the tests' */
  static async start(rules: Partial<Pick<Params, 'caps' | 'data' | 'windows'>> = {}): Promise<Rollup> {
    const folder = await mkdtemp(join(tmpdir(), 'kedge-queries-'))
    const bitcoind = new Bitcoind({ datadir: join(folder, 'bitcoind'), policy: 'core' })
    await bitcoind.start()
    const keys = {
      anchor: publicKeyOf(ANCHOR_SECRET),
      slot: publicKeyOf(SLOT_SECRET),
      fees: keyOf(3),
      watchers: WATCHERS.map(publicKeyOf),
      threshold: 2,
    }
    const caps = { operations: 64, deposits: 4, forced: 2, ticks: 2, answerVbytesPerBlock: 1_000_000 }
    const nowhere = { txid: ZERO_HASH, vout: 0 }
    const draft = {
      ...regtestRules,
      caps,
      ...rules,
      keys,
      genesis: nowhere,
      vault: { ...nowhere, value: VAULT_VALUE },
      scanHeight: 113,
    }
    // The anchor script follows from the keys alone. 112 blocks stand after this one.
    const genesis = await bitcoind.fund(anchorScript(draft), LINK_VALUE)
    const vault = { ...(await bitcoind.fund(vaultScript(draft), VAULT_VALUE)), value: VAULT_VALUE }
    await bitcoind.mine(1)
    return new Rollup(bitcoind, { ...draft, genesis, vault }, folder)
  }

  async stop(): Promise<void> {
    for (const close of this.closers.reverse()) await close()
    await this.bitcoind.stop()
    await rm(this.folder, { recursive: true })
  }

  /** A node on a folder of its own. `tail` holds batches of its own that are not anchored. */
  async openNode(name: string, tail: Head[] = []): Promise<TestNode> {
    const { params, network } = this
    const { rpc } = this.bitcoind
    const store = await Store.open(join(this.folder, name), network)
    this.closers.push(() => store.close())
    const verifier = await createVerifier({ workers: 1, network, capacityRows: 2048 })
    this.closers.push(() => verifier.close())
    const court = {
      params,
      network,
      isSigned: (owner: Uint8Array, operation: SignedOperation) => isSigned(network, owner, encodeSigned(operation)),
    }
    const follower = await Follower.open({ store, rpc, court, script: coinKey(NODE_SECRET).script })
    const data = new BatchData(store, ({ headerHash, kind }, { accept }) => {
      const bytes = this.peers.get(`${kind}/${toHex(headerHash)}`)
      return Promise.resolve(bytes !== undefined && accept(bytes) ? bytes : undefined)
    })
    const executor = new Executor({ store, follower, data, verifier, ownTail: () => tail })
    const host = { peers: () => [] }
    return new TestNode({ options: { params, rpc }, network, store, follower, executor, data, verifier, host })
  }

  /** Begins the chain, with a deposit to each of these keys that the first batch credits. */
  async begin(node: TestNode, owners: readonly number[], sats: bigint): Promise<void> {
    await this.resume(ZERO_HASH)
    for (const seed of owners) await this.deposit(keyOf(seed), sats)
    await this.mine(2)
    await node.advance()
  }

  signed(payer: number, to: Uint8Array, payment: Payment): Transfer {
    const plain = { nonce: 0n, mayCreate: false, fee: this.params.fees.transfer, expiry: 0xffffffff, memo: ZERO_HASH }
    const unsigned = { kind: 'transfer' as const, ...plain, ...payment, to }
    return { ...unsigned, signature: signHash(transferMessage(this.network, unsigned), secretOf(payer)) }
  }

  /** A withdrawal to the payer's own taproot script. */
  withdrawal(payer: number, taken: Pick<Withdrawal, 'from' | 'amount' | 'nonce'>): Withdrawal {
    const { transfer: fee } = this.params.fees
    const { script } = coinKey(secretOf(payer))
    const unsigned = { kind: 'withdrawal' as const, script, payoutFee: 1_000n, fee, expiry: 0xffffffff, ...taken }
    return { ...unsigned, signature: signHash(withdrawalMessage(this.network, unsigned), secretOf(payer)) }
  }

  idOf(operation: SignedOperation): string {
    return toHex(signedMessage(this.network, operation))
  }

  /** The next batch: what is due, then what was signed. `lie` changes what it commits to. */
  build(
    { queried: { follower } }: TestNode,
    transfers: readonly SignedOperation[],
    lie?: (honest: SealedBatch) => SealedBatch,
  ): Built {
    const { params, network, ledger } = this
    const { chain, facts, court } = follower
    const origin = { height: chain.height, hash: chain.hash }
    const context = { params, network, facts, origin, originHeight: origin.height, isSigned: court.isSigned }
    const execution = new BatchExecution(context, ledger)
    execution.addDue((key) => findCell(ledger, key))
    for (const transfer of transfers) {
      const refusal = execution.add(transfer)
      if (refusal !== undefined) throw new Error(`an operation is refused: ${refusal}`)
    }
    const honest = execution.seal()
    const sealed = lie === undefined ? honest : lie(honest)
    const number = this.number + this.unanchored.length + 1
    const parent = this.unanchored.at(-1)?.hash ?? this.parent
    const slots = this.slots.fieldsOf(number, this.isBehindResume ? undefined : { hash: parent })
    const { header, bytes, hash } = buildHeader({ network, number, parent, origin }, sealed, slots)
    const source = { headerBytes: bytes, pre: sealed.pre, operations: sealed.operations, stepRoots: sealed.stepRoots }
    const wholes = { data: encodeWhole('data', source), steps: encodeWhole('steps', source) }
    const built = { number, header, bytes, hash, sealed: { ...sealed, delta: honest.delta }, wholes }
    this.unanchored.push(built)
    this.isBehindResume = false
    return built
  }

  /** The batch that was built last, with the watchers' word for it. */
  vouchedFor(built: Built): Built {
    if (this.unanchored.pop() !== built) throw new Error('another batch was built since')
    const { message } = certifiableOf(built.header)
    const signatures = WATCHERS.map((secret, place) => ({ place, signature: signHash(message, secret) }))
    const header = { ...built.header, certificate: { signatures } }
    const bytes = encodeHeader(header)
    const source = { ...built.sealed, headerBytes: bytes }
    const wholes = { data: encodeWhole('data', source), steps: encodeWhole('steps', source) }
    const vouched = { ...built, header, bytes, hash: headerHash(bytes), wholes }
    this.unanchored.push(vouched)
    return vouched
  }

  /** Peers have the batch's data from here on. */
  share({ hash, bytes, wholes }: Built): void {
    this.peers.set(`header/${toHex(hash)}`, bytes)
    this.peers.set(`data/${toHex(hash)}`, wholes.data)
    this.peers.set(`steps/${toHex(hash)}`, wholes.steps)
  }

  /** Sends the oldest batch's link. */
  async anchor(built: Built): Promise<void> {
    if (this.unanchored.shift() !== built) throw new Error('batches are anchored in their order')
    await this.sendLink(batchAnchor(built.header, built.hash))
    this.parent = built.hash
  }

  /** Peers have the oldest batch, Bitcoin its link, and the node both. */
  async mineBatch(node: TestNode, built: Built): Promise<void> {
    this.share(built)
    await this.anchor(built)
    await this.mine()
    await node.advance()
  }

  /** Goes on from this head: what was built on others is forgotten. */
  async resume(parent: Uint8Array): Promise<void> {
    this.unanchored = []
    this.parent = parent
    this.isBehindResume = true
    await this.sendLink(resumeAnchor(parent, this.slots.rootOf(this.number + 2)))
  }

  /** Hash of the last live header, as a node has it. */
  headHash({ queried }: TestNode): Uint8Array {
    return headOf(queried.follower.chain).headerHash
  }

  /** Ends the chain: what spends the link carries none on. */
  async close(): Promise<void> {
    const secret = tweakSecret(ANCHOR_SECRET, tapLeafHash(takeoverLeaf(this.params)))
    const spend = keySpend(this.link, anchorScript(this.params), secret)
    const away = { value: this.link.value - 1_000n, script: coinKey(secretOf(64)).script }
    await this.send(build([spend], [away]).raw, 0n)
  }

  private async sendLink(anchor: Anchor): Promise<void> {
    const { params, link } = this
    const funding = { key: coinKey(secretOf(61)), coins: [], feeRate: FEE_RATE }
    const budget = { floor: 1_000n, refill: LINK_VALUE }
    const built = buildAnchor({ params, link, payload: encodeMessage(anchor), budget, funding }, ANCHOR_SECRET)
    await this.send(built.raw, 0n)
    this.link = built.next
    this.number++
  }

  /** A deposit, and its sweep on top of it. */
  async deposit(key: Uint8Array, sats: bigint): Promise<void> {
    const { params, vault } = this
    const txid = await this.depositUnswept(key, sats)
    const { sweep } = depositOutput(params, key, REFUND_KEY)
    const inputs = [
      { previous: vault.head, value: vault.value, by: vaultOutput(params) },
      { previous: { txid, vout: 1 }, value: sats, by: sweep },
    ]
    const value = vault.value + sats - SWEEP_FEE
    const outputs = [{ script: vaultScript(params), value }]
    const swept = buildVaultSpend(params, { version: 2, inputs, outputs, fee: SWEEP_FEE, claims: [] }, WATCHERS)
    await this.send(swept.raw, 0n)
    this.vault = { head: { txid: swept.txid, vout: 0 }, value }
  }

  /** A deposit that no watcher sweeps. @returns its transaction's id */
  async depositUnswept(key: Uint8Array, sats: bigint): Promise<Uint8Array> {
    const made = buildDeposit(this.params, { key, refundKey: REFUND_KEY }, sats, await this.fund(sats + 10_000n))
    await this.send(made.raw, 0n)
    return made.txid
  }

  /** Publishes an operation so that batches must contain it. */
  async force(operation: SignedOperation): Promise<void> {
    await this.publish({ kind: 'forced' }, encodeSigned(operation))
  }

  /** Answers a challenge with no more than the header. */
  async answerByHeader({ hash, bytes, sealed }: Built, data: 'data' | 'steps'): Promise<void> {
    await this.publish(
      { kind: 'part', headerHash: hash, data },
      encodeHeaderPart(data, { headerBytes: bytes, ...sealed }),
    )
  }

  /** Answers a challenge in full. */
  async answer({ hash, wholes }: Built, data: 'data' | 'steps'): Promise<void> {
    await this.publish({ kind: 'part', headerHash: hash, data }, wholes[data])
  }

  private async publish(message: Message, bytes: Uint8Array): Promise<void> {
    const publication = { params: this.params, payload: encodeMessage(message), bytes }
    const funding = await this.fund(20_000n)
    const commit = buildCommit(publication, FEE_RATE, funding)
    await this.send(commit.raw, 0n)
    await this.send(buildReveal(publication, commit.raw, { ...funding, coins: [] }).raw, 0n)
  }

  /** Pays claims, all at one sat/vB. */
  async payOut({ queried: { follower } }: TestNode, claims: readonly Claim[]): Promise<Uint8Array> {
    const { vault, final } = follower.chain
    const plan = planPayout(this.params, vault, claims, final.headerHash, 1_000n)
    if (plan === undefined) throw new Error('there is nothing to pay')
    const payout = buildVaultSpend(this.params, plan, WATCHERS)
    await this.send(payout.raw, 0n)
    this.vault = { head: { txid: payout.txid, vout: 0 }, value: plan.outputs[0]?.value ?? 0n }
    return payout.txid
  }

  /** @param burn satoshis, what the rules ask for unless given */
  async challenge(headerHash: Uint8Array, data: 'data' | 'steps', burn = this.params.fees.challenge): Promise<void> {
    const payload = encodeMessage({ kind: 'challenge', headerHash, data })
    const params = { ...this.params, fees: { ...this.params.fees, challenge: burn } }
    await this.send(buildChallenge(params, payload, await this.fund(burn + 10_000n)).raw, burn)
  }

  async mine(blocks = 1): Promise<void> {
    await this.bitcoind.mine(blocks)
  }

  private async fund(value: bigint) {
    const key = coinKey(secretOf(63))
    const outpoint = await this.bitcoind.fund(key.script, value)
    const coin: Coin = { outpoint, value, height: undefined, coinbase: false }
    return { key, coins: [coin], feeRate: FEE_RATE }
  }

  private async send(raw: Uint8Array, burn: bigint): Promise<void> {
    const sent = await sendTransaction(this.bitcoind.rpc, raw, burn)
    if (!sent.ok) throw new Error(`a transaction is refused: ${sent.detail}`)
  }
}

function findCell(ledger: Ledger, owner: Uint8Array): number | undefined {
  for (let cell = 0; cell < ledger.tree.count; cell++) {
    if (toHex(ledger.tree.account(cell).owner) === toHex(owner)) return cell
  }
  return undefined
}
