import { setTimeout as sleep } from 'node:timers/promises'
import { ApiError, type SubmittedRows } from '@kedge/api'
import { concatBytes, type Params } from '@kedge/core'
import type { NodeProcess } from '../node-process.ts'
import { type Payer, type Signed, signNext } from './crowd.ts'
import type { Dice } from './dice.ts'
import { SlotCollector } from './slot-collector.ts'

/** A transfer that a node said it has taken. */
export interface Acknowledged extends Signed {
  /** The node that said so. */
  readonly by: string
}

export interface LoadOptions {
  readonly params: Params
  readonly payers: readonly Payer[]
  /** Who is asked, each time another one that runs. */
  readonly nodes: () => readonly NodeProcess[]
  readonly dice: Dice
  /** Payers are shared out among so many senders, each with one request under way. */
  readonly senders: number
  /** Between a sender's requests. */
  readonly pauseMs: number
  /** Where promises go that earlier loads brought others to. */
  readonly collector?: SlotCollector
}

/** Millisatoshis: small, so that nobody runs out of money. */
const MOST = 20

/** Before somebody is asked again who took nothing. */
const REFUSED_PAUSE_MS = 200

/** Codes that mean: the same bytes again, later. */
const LATER = new Set([
  'unreachable',
  'overloaded',
  'syncing',
  'chain-broken',
  'batch-rejected',
  'no-sequencer',
  'too-slow',
])

/**
 * Payers who pay one another until they are stopped. Each has one transfer on its way at most, which is submitted again
 * to the byte until somebody takes it; so whatever is refused for good shows that something taken before was lost.
 */
export class Load {
  readonly acknowledged = new Map<string, Acknowledged>()
  /** Answers that no honest network gives. */
  readonly faults: string[] = []
  /** How often each code was answered. */
  readonly codes = new Map<string, number>()
  /** Of all promises. */
  readonly collector: SlotCollector
  private readonly options: LoadOptions
  private readonly waiting = new Map<Payer, Signed>()
  private senders: Promise<void>[] = []
  private stopping = new AbortController()

  constructor(options: LoadOptions) {
    this.options = options
    this.collector = options.collector ?? new SlotCollector(options.params)
  }

  start(): void {
    if (this.senders.length > 0) throw new Error('the load is under way already')
    this.stopping = new AbortController()
    const { payers, senders, dice } = this.options
    const shares = Array.from({ length: senders }, (_, at) => payers.filter((__, index) => index % senders === at))
    this.senders = shares.map((share) => this.send(share, dice.fork(), this.stopping.signal))
  }

  /** After the requests that are under way. */
  async stop(): Promise<void> {
    this.stopping.abort()
    await Promise.all(this.senders)
    this.senders = []
  }

  /** Each payer once, to one node. @returns how many were taken */
  async sendOnce(payers: readonly Payer[], dice: Dice, node: NodeProcess): Promise<number> {
    const before = this.acknowledged.size
    await this.submit(node, payers, dice)
    return this.acknowledged.size - before
  }

  private async send(payers: readonly Payer[], dice: Dice, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const running = this.options.nodes().filter(({ isRunning }) => isRunning)
      const before = this.acknowledged.size
      if (running.length > 0) await this.submit(dice.pick(running), payers, dice)
      await sleep(this.acknowledged.size > before ? this.options.pauseMs : REFUSED_PAUSE_MS)
    }
  }

  private async submit(node: NodeProcess, payers: readonly Payer[], dice: Dice): Promise<void> {
    const rows = payers.map((payer) => this.nextOf(payer, dice))
    const answer = await this.ask(node, rows)
    if (answer === undefined) return
    for (const each of answer.receipts) this.collector.addReceipt(each)
    const refused = new Map(answer.refused.map(({ row, code }) => [row, code]))
    for (const [at, payer] of payers.entries()) {
      const row = rows[at] as Signed
      const code = refused.get(at)
      if (code === undefined) this.taken(payer, row, node)
      else if (LATER.has(code)) this.count(code)
      else this.refusedForGood(row, code, node)
    }
  }

  private async ask(node: NodeProcess, rows: readonly Signed[]): Promise<SubmittedRows | undefined> {
    try {
      return await node.client.submitTransfers({ bytes: concatBytes(...rows.map(({ bytes }) => bytes)) })
    } catch (error) {
      if (!(error instanceof ApiError) && node.isRunning) throw error
      const code = error instanceof ApiError ? error.code : 'unreachable'
      this.count(code)
      if (!LATER.has(code)) this.faults.push(`${node.name} answered ${String(error)}`)
      return undefined
    }
  }

  private nextOf(payer: Payer, dice: Dice): Signed {
    const { params, payers } = this.options
    const others = payers.filter((other) => other !== payer)
    const next = this.waiting.get(payer) ?? signNext(params, payer, dice.pick(others), BigInt(dice.between(1, MOST)))
    this.waiting.set(payer, next)
    return next
  }

  private taken(payer: Payer, row: Signed, node: NodeProcess): void {
    this.count('taken')
    this.acknowledged.set(row.id, { ...row, by: node.name })
    this.waiting.delete(payer)
    payer.nonce += 1n
  }

  /** What follows on something that is to be carried over comes too early; then it is taken later. */
  private refusedForGood({ id }: Signed, code: string, node: NodeProcess): void {
    this.count(code)
    if (code !== 'nonce-ahead') this.faults.push(`${node.name} refused ${id}: ${code}`)
  }

  private count(code: string): void {
    this.codes.set(code, (this.codes.get(code) ?? 0) + 1)
  }
}
