import {
  decodeSigned,
  equalBytes,
  MerkleLog,
  networkId,
  operationId,
  type Params,
  type Receipt,
  signedMessage,
  type Tick,
} from '@kedge/core'
import { SlotSigner } from '@kedge/regtest'
import { type Intake, type IntakeResult, rowAt, rowCount, type Submission } from '../src/intake.ts'
import { SLOT_SECRET, secretOf } from './ground.ts'

const UNDECODABLE = { ok: false, code: 'undecodable' } as const

/** Answers each operation by its nonce, as the test wants; with true receipts, some rows to a tick. */
export class Script implements Intake {
  readonly asked: Uint8Array[] = []
  private readonly network: Uint8Array
  private readonly slots: SlotSigner
  private readonly ticks: number
  private readonly fates: (nonce: bigint) => IntakeResult | 'take' | 'tick'
  private readonly log = new MerkleLog()
  private readonly accepted: Uint8Array[] = []

  constructor(params: Params, fates: (nonce: bigint) => IntakeResult | 'take' | 'tick') {
    this.network = networkId(params)
    this.ticks = params.caps.ticks
    this.slots = new SlotSigner(params, SLOT_SECRET)
    this.fates = fates
  }

  submit(submission: Submission): Promise<IntakeResult[]> {
    this.asked.push(submission.rows)
    const results: IntakeResult[] = []
    let inTick = false
    for (let row = 0; row < rowCount(submission); row++) {
      const bytes = rowAt(submission, row)
      const signed = decodeSigned(bytes)
      const fate = signed === undefined ? UNDECODABLE : this.fates(signed.nonce)
      if (typeof fate === 'object') {
        results.push(fate)
        inTick = false
        continue
      }
      this.log.append(operationId(bytes))
      const index = this.accepted.push(bytes) - 1
      const isFirst = fate === 'tick' || !inTick
      inTick = true
      const receipt = isFirst ? this.receiptOf(index) : undefined
      results.push({ ok: true, taken: { number: 9, index, operation: bytes, ...(receipt && { receipt }) } })
    }
    return Promise.resolve(results)
  }

  find(id: Uint8Array) {
    const index = this.accepted.findIndex((bytes) => this.isPayment(id, bytes))
    const operation = this.accepted[index]
    return Promise.resolve(operation && { number: 9, index, operation, receipt: this.receiptOf(index) })
  }

  private receiptOf(index: number): Receipt {
    const origin = { height: 1, hash: secretOf(3) }
    const tick: Tick = {
      number: 9,
      // More than a batch has: nobody counts here.
      index: index % this.ticks,
      origin,
      parent: secretOf(4),
      count: this.log.count,
      opsRoot: this.log.root(),
    }
    return { ...this.slots.sign(tick), opIndex: index, path: this.log.prove(index) }
  }

  private isPayment(id: Uint8Array, bytes: Uint8Array): boolean {
    const signed = decodeSigned(bytes)
    return signed !== undefined && equalBytes(signedMessage(this.network, signed), id)
  }
}
