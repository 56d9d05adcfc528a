import {
  estimateFeeRate,
  joinVaultSpend,
  type MempoolEntry,
  printHash,
  readMempoolEntry,
  readSpending,
  readTransaction,
  sendTransaction,
  vaultToSign,
} from '@kedge/bitcoin'
import {
  descending,
  ESTIMATE_BLOCKS,
  type FeePolicy,
  feeRate,
  LEAST_RATE,
  leastRaise,
  replacementFee,
  type Waiting,
} from '@kedge/commitment'
import {
  equalBytes,
  judgeProposal,
  outpointKey,
  plannedVbytes,
  proposeNext,
  readProposal,
  type VaultPlan,
  type VaultProposal,
  type VaultView,
} from '@kedge/core'
import type { NodeParts } from '@kedge/node'
import { collect } from './vault-collect.ts'
import { readHead, type VaultSigner } from './vault-signer.ts'
import { viewVault } from './vault-view.ts'

export interface KeeperParts {
  readonly node: NodeParts
  readonly signer: VaultSigner
  /** Of this watcher. */
  readonly secret: Uint8Array
  readonly fees: FeePolicy
}

/** As `Health` has it. */
export type WatcherState = 'behind' | 'idle' | 'waiting' | 'sent'

/** A spend of the head that bitcoind's mempool holds. */
interface Pending {
  /** sat/vB: its own, or with what hangs on it, whichever is more. */
  readonly rate: number
  readonly entry: MempoolEntry
}

/** At a new block the watchers propose one after another, so that they don't all ask each other for the same. */
const TURN_MS = 250

/** Until what did not get its signatures is asked for again, and until what is settled is looked at again. */
const RETRY_MS = 300
const LOOK_MS = 2000

/** Blocks within which a spend should be mined: by then it pays the cap, or all that its claims or deposits allow. */
const DEADLINE_BLOCKS = 12

/**
 * Keeps the vault's next spend on its way, as long as one is due: proposes it when it is this watcher's turn, gathers
 * signatures, sends it, again after each block, and raises it when it is not mined. It works beside the node's loop, for
 * others may take their time; what it keeps stands in the signer's records, and all else follows from Bitcoin.
 */
export class VaultKeeper {
  private readonly parts: KeeperParts
  private readonly stopping = new AbortController()
  private work: Promise<void> | undefined
  private failure: unknown
  private state: { readonly hash: Uint8Array; readonly what: WatcherState } | undefined
  private lookAgainAt = 0
  private askAgainAt = 0
  private tip: { readonly hash: Uint8Array; readonly at: number } | undefined
  /** The present head, and since which block a spend of it waits for miners. */
  private present: { readonly head: string; readonly since: number | undefined } | undefined
  private raisedAt = 0
  private warned = ''
  /** The spend that the mempool holds, or that is due. */
  waiting: Waiting | undefined

  constructor(parts: KeeperParts) {
    this.parts = parts
  }

  /** At the newest block. */
  get status(): WatcherState {
    const { hash } = this.parts.node.follower.chain
    return this.state !== undefined && equalBytes(this.state.hash, hash) ? this.state.what : 'behind'
  }

  /** Goes on, unless it is at it. The node's loop calls it at each turn. @throws what went wrong since the last call */
  act(): void {
    const { failure } = this
    this.failure = undefined
    if (failure !== undefined) throw failure
    if (this.work !== undefined) return
    this.work = this.tend()
      .catch((error: unknown) => {
        if (!this.stopping.signal.aborted) this.failure = error
      })
      .finally(() => {
        this.work = undefined
      })
  }

  async close(): Promise<void> {
    this.stopping.abort()
    await this.work
  }

  private async tend(): Promise<void> {
    const { hash } = this.parts.node.follower.chain
    const now = performance.now()
    if (this.tip === undefined || !equalBytes(this.tip.hash, hash)) this.tip = { hash, at: now }
    else if ((this.status === 'sent' || this.status === 'idle') && now < this.lookAgainAt) return
    const seen = viewVault(this.parts.node)
    const what = seen.ok ? await this.bring(seen.view) : seen.reason === 'behind' ? 'behind' : 'waiting'
    this.state = { hash, what }
    this.lookAgainAt = now + LOOK_MS
  }

  /** Brings bitcoind's mempool in line with what the vault owes. */
  private async bring(view: VaultView): Promise<WatcherState> {
    const { rpc } = this.parts.node.options
    const { fees } = this.parts
    const { chain } = view
    const pending = await this.findPending(view)
    const waited = chain.height - this.waitsSince(view, pending)
    const estimate = await estimateFeeRate(rpc, ESTIMATE_BLOCKS, fees.fallback)
    const target = feeRate(estimate, waited, DEADLINE_BLOCKS, fees.cap)
    const proposals = this.propose(view, target, pending)
    const proposal = proposals.find((one) => this.replaces(view, one, pending?.entry.hanging.fee))
    const isPinned = proposal === undefined && proposals.some((one) => this.replaces(view, one, pending?.entry.fee))
    const due = proposeNext(view, [BigInt(LEAST_RATE * 1000)])
    this.waiting = due && {
      kind: due.kind,
      name: `the vault's ${due.kind}`,
      deadline: undefined,
      feeRate: pending?.rate,
      isCapped: target >= fees.cap,
      pinnedBy: isPinned && pending !== undefined ? pending.entry.hanging.vsize - pending.entry.vsize : undefined,
    }
    const isNew = pending !== undefined && (waited === 0 || this.raisedAt === chain.height)
    if (proposal === undefined || isNew) return pending === undefined ? 'idle' : 'sent'
    const before = pending === undefined ? 'waiting' : 'sent'
    if (!this.isMyTurn(chain.height) || performance.now() < this.askAgainAt) return before
    return (await this.gather(view, proposal)) ? 'sent' : before
  }

  /** What the mempool holds; else what was signed before, sent once more, where it is still what this node would sign. */
  private async findPending(view: VaultView): Promise<Pending | undefined> {
    const { rpc } = this.parts.node.options
    const { vault } = view.chain
    const there = await readSpending(rpc, vault.head)
    const raw = there ?? (await readHead(this.parts.node.store, vault))?.raw
    if (raw === undefined) return undefined
    const isOwed = this.isOwed(view, raw)
    if (there === undefined && !(isOwed && (await this.send(raw)))) return undefined
    if (there !== undefined && isOwed) await this.parts.signer.keep(vault, raw)
    if (there !== undefined && !isOwed) this.warn(raw)
    const entry = await readMempoolEntry(rpc, readTransaction(raw).txid)
    return entry && { rate: Math.max(rateOf(entry), rateOf(entry.hanging)), entry }
  }

  /** t watchers may have seen another block, or conspire: whoever operates this one has to know. Once for each. */
  private warn(raw: Uint8Array): void {
    const txid = printHash(readTransaction(raw).txid)
    if (this.warned !== txid)
      this.parts.node.options.log.warn({ txid }, "a spend of the vault waits that this node's state does not owe")
    this.warned = txid
  }

  /** Whether it is, to the byte, what this watcher's own state owes. */
  private isOwed(view: VaultView, raw: Uint8Array): boolean {
    const transaction = readTransaction(raw)
    const proposal = readProposal(view, transaction)
    const verdict = proposal && judgeProposal(view, proposal, this.cap)
    return verdict?.ok === true && equalBytes(vaultToSign(verdict.plan).txid, transaction.txid)
  }

  /**
   * What is due at the rate that its age asks for, and at lower ones. Where something waits already, only such as are
   * worth replacing it for, the dearest first: which of them does is for what hangs on it to say.
   */
  private propose(view: VaultView, target: number, pending: Pending | undefined): VaultProposal[] {
    const least = pending === undefined ? LEAST_RATE : leastRaise(pending.rate)
    if (target < least) return []
    const rates = descending(target, least).map((rate) => BigInt(Math.ceil(rate * 1000)))
    return (pending === undefined ? [rates] : rates.map((rate) => [rate])).flatMap(
      (tried) => proposeNext(view, tried) ?? [],
    )
  }

  /** Whether relay takes it in place of what pays so much together; of nothing, if there is none. */
  private replaces(view: VaultView, proposal: VaultProposal, replaced: bigint | undefined): boolean {
    if (replaced === undefined) return true
    const verdict = judgeProposal(view, proposal, this.cap)
    if (!verdict.ok) return false
    const { inputs, outputs, fee } = verdict.plan
    return fee >= replacementFee(plannedVbytes(view.params, inputs, outputs), replaced)
  }

  /** What only lacks signatures waits for no miner: a higher fee would leave out people who could be paid. */
  private waitsSince({ chain }: VaultView, pending: Pending | undefined): number {
    const head = outpointKey(chain.vault.head)
    const known = this.present?.head === head ? this.present.since : undefined
    const since = pending === undefined ? undefined : Math.min(known ?? chain.height, chain.height)
    this.present = { head, since }
    return since ?? chain.height
  }

  private isMyTurn(height: number): boolean {
    const { length } = this.parts.node.options.params.keys.watchers
    const rank = (((this.parts.signer.place - height) % length) + length) % length
    return performance.now() - (this.tip?.at ?? 0) >= rank * TURN_MS
  }

  /** Whether it got its signatures, and bitcoind took it. */
  private async gather(view: VaultView, proposal: VaultProposal): Promise<boolean> {
    const { node, signer, secret } = this.parts
    const { params, log } = node.options
    this.askAgainAt = performance.now() + RETRY_MS
    const verdict = judgeProposal(view, proposal, this.cap)
    if (!verdict.ok) throw new Error(`a proposal of this watcher's own does not stand: ${verdict.refusal}`)
    const gathered = await collect({ node, signer, secret }, proposal, verdict.plan, this.stopping.signal)
    const told = { spend: proposal.kind, fee: proposal.fee, ...whatOf(proposal) }
    if (gathered.signatures.size < params.keys.threshold) {
      log.info(
        { ...told, signed: gathered.signatures.size, refused: gathered.refused },
        'a spend of the vault lacks signatures',
      )
      return false
    }
    return this.complete(view, verdict.plan, gathered.signatures, told)
  }

  private async complete(
    { params, chain }: VaultView,
    plan: VaultPlan,
    signatures: ReadonlyMap<number, readonly Uint8Array[]>,
    told: object,
  ): Promise<boolean> {
    const { raw, txid } = joinVaultSpend(params, plan, signatures)
    await this.parts.signer.keep(chain.vault, raw)
    if (!(await this.send(raw))) return false
    this.raisedAt = chain.height
    this.parts.node.options.log.info({ ...told, txid: printHash(txid) }, 'sent a spend of the vault')
    return true
  }

  private async send(raw: Uint8Array): Promise<boolean> {
    const { rpc, log } = this.parts.node.options
    const sent = await sendTransaction(rpc, raw, 0n)
    if (!sent.ok) log.info({ reason: sent.reason, detail: sent.detail }, 'bitcoind refused a spend of the vault')
    return sent.ok
  }

  private get cap(): bigint {
    return BigInt(Math.floor(this.parts.fees.cap * 1000))
  }
}

function rateOf({ fee, vsize }: Pick<MempoolEntry, 'fee' | 'vsize'>): number {
  return Number(fee) / vsize
}

function whatOf(proposal: VaultProposal): object {
  return proposal.kind === 'sweep' ? { deposits: proposal.deposits.length } : { claims: proposal.claims }
}
