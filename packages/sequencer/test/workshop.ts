import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  buildChallenge,
  buildDeposit,
  buildVaultSpend,
  type Coin,
  coinKey,
  publicKeyOf,
  sendTransaction,
  signHash,
} from '@kedge/bitcoin'
import { xOnlyKey } from '@kedge/bond'
import { AnchorKeeper, Publisher, Purse } from '@kedge/commitment'
import {
  anchorScript,
  decodeSigned,
  depositOutput,
  encodeMessage,
  encodeTransfer,
  encodeWithdrawal,
  networkId,
  type Outpoint,
  type Params,
  regtestRules,
  type Transfer,
  transferMessage,
  vaultOutput,
  vaultScript,
  type Withdrawal,
  withdrawalMessage,
  ZERO_HASH,
} from '@kedge/core'
import { closeNode, type IntakeResult, type NodeParts, openNode, orClose, proveRejection } from '@kedge/node'
import { Bitcoind } from '@kedge/regtest'
import { pino } from 'pino'
import type { Added } from '../src/candidate.ts'
import { Certifying } from '../src/certify.ts'
import { SequencerIntake } from '../src/intake.ts'
import { OwnLinks } from '../src/own-links.ts'
import { Producer } from '../src/producer.ts'
import type { Tamper } from '../src/seal.ts'
import { Slots } from '../src/slots.ts'

/** A real bitcoind, and sequencers whose loop turns when a test says so. */

export const secretOf = (seed: number): Uint8Array => new Uint8Array(32).fill(seed)
export const keyOf = (seed: number): Uint8Array => publicKeyOf(secretOf(seed))

const [ANCHOR, SLOT, COINS, PAYER] = [secretOf(1), secretOf(2), secretOf(60), secretOf(61)]
const WATCHERS = [secretOf(4), secretOf(5)]
/** Satoshis: the vault's first output, and what a sweep pays. */
const VAULT_VALUE = 10_000n
const SWEEP_FEE = 500n
const FEE_RATE = 2

const REFUND_KEY = keyOf(62)

export interface MadeDeposit {
  readonly key: Uint8Array
  readonly sats: bigint
  readonly txid: Uint8Array
  /** The transaction that sweeps it. */
  readonly sweep: Uint8Array
}

/** What a payment says beside who pays. */
type Payment = Pick<Transfer, 'from' | 'to' | 'amount' | 'nonce'> & Partial<Transfer>

interface Vault {
  readonly head: Outpoint
  readonly value: bigint
}

export class Workshop {
  readonly bitcoind: Bitcoind
  readonly params: Params
  readonly network: Uint8Array
  readonly folder: string
  /** Where sequencers that are opened find peers. */
  readonly bootstrap: string[] = []

  vault: Vault

  private constructor(bitcoind: Bitcoind, params: Params, folder: string, vault: Vault) {
    this.bitcoind = bitcoind
    this.params = params
    this.network = networkId(params)
    this.folder = folder
    this.vault = vault
  }

  /**
   * @param ticks slots for ticks that a batch has
   * @param rest what the network does for its batches' data, and whether it asks for a bond
   */
  static async start(ticks = 5, rest: Pick<Params, 'data' | 'bond'> = {}): Promise<Workshop> {
    const folder = await freshFolder()
    const bitcoind = bitcoindIn(folder)
    await bitcoind.start()
    const keys = {
      anchor: publicKeyOf(ANCHOR),
      slot: publicKeyOf(SLOT),
      fees: keyOf(3),
      watchers: WATCHERS.map(publicKeyOf),
      threshold: 2,
    }
    const caps = {
      operations: ticks < 8 ? 8 : 2 * ticks,
      deposits: 4,
      forced: 2,
      ticks,
      answerVbytesPerBlock: 1_000_000,
    }
    const nowhere = { txid: ZERO_HASH, vout: 0 }
    const draft = {
      ...regtestRules,
      caps,
      keys,
      genesis: nowhere,
      vault: { ...nowhere, value: VAULT_VALUE },
      scanHeight: 113,
      ...rest,
    }
    const genesis = await bitcoind.fund(anchorScript(draft), 5_000_000n)
    const vault = { ...(await bitcoind.fund(vaultScript(draft), VAULT_VALUE)), value: VAULT_VALUE }
    await bitcoind.mine(1)
    // Nothing below the scan height is anybody's.
    for (let coin = 0; coin < 8; coin++) await bitcoind.fund(coinKey(COINS).script, 20_000_000n)
    await bitcoind.mine(1)
    return new Workshop(bitcoind, { ...draft, genesis, vault }, folder, { head: vault, value: VAULT_VALUE })
  }

  async stop(): Promise<void> {
    await this.bitcoind.stop()
    await rm(this.folder, { recursive: true })
  }

  /** Another one that stands where this one does, whose bitcoind has stopped, and which no sequencer has open. */
  async copy(): Promise<Workshop> {
    const folder = await freshFolder()
    await cp(this.folder, folder, { recursive: true })
    const bitcoind = bitcoindIn(folder)
    await bitcoind.start()
    return new Workshop(bitcoind, this.params, folder, this.vault)
  }

  /** On the folder of the one before it. */
  open(sealAfterMs = 0, tamper?: Tamper): Promise<Sequencer> {
    return Sequencer.open(this, join(this.folder, 'sequencer'), sealAfterMs, tamper)
  }

  /** A transfer's bytes. */
  signed(payer: number, payment: Payment): Uint8Array {
    const { transfer: fee, cell } = this.params.fees
    const plain = { toCell: 0xffff, mayCreate: true, fee: fee + cell, expiry: 0xffffffff, memo: ZERO_HASH }
    const unsigned = { kind: 'transfer' as const, ...plain, ...payment }
    return encodeTransfer({
      ...unsigned,
      signature: signHash(transferMessage(this.network, unsigned), secretOf(payer)),
    })
  }

  /** A withdrawal's bytes: to the payer's own taproot script. */
  withdrawal(payer: number, taken: Pick<Withdrawal, 'from' | 'amount' | 'nonce'>): Uint8Array {
    const { transfer: fee, payout: payoutFee } = this.params.fees
    const { script } = coinKey(secretOf(payer))
    const unsigned = { kind: 'withdrawal' as const, script, payoutFee, fee, expiry: 0xffffffff, ...taken }
    return encodeWithdrawal({
      ...unsigned,
      signature: signHash(withdrawalMessage(this.network, unsigned), secretOf(payer)),
    })
  }

  /** A deposit, and its sweep on top of it. */
  async deposit(key: Uint8Array, sats: bigint): Promise<MadeDeposit> {
    const made = buildDeposit(this.params, { key, refundKey: REFUND_KEY }, sats, await this.fund(sats + 10_000n))
    await this.send(made.raw, 0n)
    const deposit = { key, sats, txid: made.txid }
    const sweep = this.buildSweep(deposit)
    await this.send(sweep, 0n)
    return { ...deposit, sweep }
  }

  /** Sweeps a deposit from the vault as it is by now, which it changes. */
  buildSweep({ key, sats, txid }: Omit<MadeDeposit, 'sweep'>): Uint8Array {
    const { params, vault } = this
    const { sweep } = depositOutput(params, key, REFUND_KEY)
    const inputs = [
      { previous: vault.head, value: vault.value, by: vaultOutput(params) },
      { previous: { txid, vout: 1 }, value: sats, by: sweep },
    ]
    const value = vault.value + sats - SWEEP_FEE
    const outputs = [{ script: vaultScript(params), value }]
    const swept = buildVaultSpend(params, { version: 2, inputs, outputs, fee: SWEEP_FEE, claims: [] }, WATCHERS)
    this.vault = { head: { txid: swept.txid, vout: 0 }, value }
    return swept.raw
  }

  async challenge(headerHash: Uint8Array): Promise<void> {
    const payload = encodeMessage({ kind: 'challenge', headerHash, data: 'data' })
    const { challenge } = this.params.fees
    await this.send(buildChallenge(this.params, payload, await this.fund(challenge + 10_000n)).raw, challenge)
  }

  private async fund(value: bigint) {
    const key = coinKey(PAYER)
    const outpoint = await this.bitcoind.fund(key.script, value)
    const coin: Coin = { outpoint, value, height: undefined, coinbase: false }
    return { key, coins: [coin], feeRate: FEE_RATE }
  }

  private async send(raw: Uint8Array, burn: bigint): Promise<void> {
    const sent = await sendTransaction(this.bitcoind.rpc, raw, burn)
    if (!sent.ok) throw new Error(`a transaction is refused: ${sent.detail}`)
  }
}

function freshFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'kedge-sequencer-'))
}

function bitcoindIn(folder: string): Bitcoind {
  return new Bitcoind({ datadir: join(folder, 'bitcoind'), policy: 'core' })
}

/** What a node is started with. It has its peer's address for as long as it runs. */
export function optionsOf({ params, bitcoind }: Workshop, dataDir: string, peer: Uint8Array) {
  return {
    ...{ params, dataDir, rpc: bitcoind.rpc, workers: 1, maxFeeRate: 50, log: pino({ level: 'silent' }) },
    p2p: { listen: ['/ip4/127.0.0.1/tcp/0'], bootstrap: [] },
    api: { host: '127.0.0.1', port: 0, origins: [] },
    secrets: { peer, coins: COINS },
  }
}

/** A sequencer's parts without its loop. Nobody answers challenges. */
export class Sequencer {
  readonly node: NodeParts
  readonly producer: Producer
  readonly intake: SequencerIntake
  readonly slots: Slots
  readonly own: OwnLinks
  private readonly keeper: AnchorKeeper
  private readonly publisher: Publisher
  private readonly purse: Purse
  private readonly running = new AbortController()

  private constructor(
    node: NodeParts,
    producer: Producer,
    slots: Slots,
    own: OwnLinks,
    keeper: AnchorKeeper,
    publisher: Publisher,
    purse: Purse,
  ) {
    this.node = node
    this.producer = producer
    this.slots = slots
    this.own = own
    this.intake = new SequencerIntake(node, producer)
    this.keeper = keeper
    this.publisher = publisher
    this.purse = purse
  }

  static async open(
    workshop: Workshop,
    dataDir: string,
    sealAfterMs: number,
    tamper: Tamper | undefined,
  ): Promise<Sequencer> {
    const { params } = workshop
    const late: { producer?: Producer } = {}
    const plain = optionsOf(workshop, dataDir, secretOf(70))
    const options = { ...plain, p2p: { ...plain.p2p, bootstrap: workshop.bootstrap } }
    const ownTail = () => late.producer?.plan().tail ?? []
    const node = await openNode(options, { ownTail, mayServe: () => true, tellsTicks: true })
    return orClose(node, async () => {
      const purse = new Purse(COINS)
      purse.setConfirmed(node.follower.coins, node.follower.chain.height)
      const common = { store: node.store, rpc: options.rpc, params, purse, log: options.log }
      const fees = { cap: options.maxFeeRate, fallback: FEE_RATE }
      const keeper = new AnchorKeeper({ ...common, secret: ANCHOR, fees })
      const publisher = new Publisher({ ...common, fees })
      await keeper.load()
      await publisher.load()
      const own = await OwnLinks.load(node.store)
      const parts = { key: xOnlyKey(SLOT), network: node.network, params }
      const slots = await Slots.open(node.store, join(workshop.folder, 'tally'), parts)
      const certifying = params.data?.kind === 'certified' ? new Certifying({ node, anchor: ANCHOR }) : undefined
      const extras = { ...(certifying && { certifying }), ...(tamper && { tamper }) }
      const producer = new Producer({ node, own, keeper, slots, sealAfterMs, ...extras })
      late.producer = producer
      return new Sequencer(node, producer, slots, own, keeper, publisher, purse)
    })
  }

  /** One turn of the loop, as `startSequencer` makes it. */
  async turn(): Promise<void> {
    await this.follow()
    await this.act()
  }

  /** Blocks, and forks, up to Bitcoin's tip. */
  async follow(): Promise<void> {
    const { follower } = this.node
    for (;;) {
      const step = await follower.step(() => [])
      if (step.kind === 'tip') return
      this.purse.setConfirmed(follower.coins, follower.chain.height)
      if (step.kind === 'rollback') await this.producer.rolledBack()
    }
  }

  async act(): Promise<void> {
    const { follower, executor } = this.node
    await this.producer.reconcile(this.running.signal)
    await proveRejection({ follower, executor, publisher: this.publisher })
    const outcome = await this.keeper.advance(follower.chain)
    if (outcome.kind === 'conflict') throw new Error(`anchor ${outcome.number} is another's`)
    await this.publisher.advance(follower.chain)
  }

  async submit(...transfers: readonly Uint8Array[]): Promise<readonly IntakeResult[]> {
    return await this.intake.submit({ kind: 'transfer', rows: Uint8Array.from(Buffer.concat(transfers)) })
  }

  async withdraw(bytes: Uint8Array): Promise<IntakeResult | undefined> {
    const [result] = await this.intake.submit({ kind: 'withdrawal', rows: bytes })
    return result
  }

  /** As `submit` of one whose signature was not checked before, without waiting for its promise. */
  add(bytes: Uint8Array): Promise<Added> {
    const operation = decodeSigned(bytes)
    if (operation === undefined) throw new Error('nothing that is signed')
    return this.producer.add({ operation, bytes, id: undefined, signedBy: undefined })
  }

  /** Whether the ledger has this transfer, or the open batch on it. */
  has(payer: number, nonce: bigint): boolean {
    const { ledger, owners } = this.node.executor
    const cell = owners.find(keyOf(payer))
    return cell !== undefined && ledger.tree.account(cell).nonce > nonce
  }

  async stop(): Promise<void> {
    await this.producer.close()
    await this.node.executor.flush()
    await this.crash()
  }

  /** Leaves on disk what is there. */
  async crash(): Promise<void> {
    await closeNode(this.node)
    await this.slots.close()
  }
}
