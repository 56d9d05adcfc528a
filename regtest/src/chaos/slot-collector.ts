import type { Acknowledgement } from '@kedge/api'
import { noteSignature, parentSigned, type Signatures, type SignedMessage, tickSigned } from '@kedge/bond'
import {
  decodeHeader,
  decodeReceipt,
  equalBytes,
  fromHex,
  networkId,
  nonceRootOf,
  type Params,
  type SignedTick,
} from '@kedge/core'
import { verifySignature } from '@kedge/signatures'

/** All that the slot key was ever seen to sign: at most one message for a slot, in one table for a batch. */
export class SlotCollector {
  readonly faults: string[] = []
  /** Each receipt, with what it is for. */
  readonly promises: { readonly number: number; readonly operation: Uint8Array; readonly receipt: Uint8Array }[] = []
  private readonly params: Params
  private readonly network: Uint8Array
  private readonly signatures: Signatures = new Map()
  private readonly bySlot = new Map<string, SignedMessage>()
  private readonly tables = new Map<number, Uint8Array>()

  constructor(params: Params) {
    this.params = params
    this.network = networkId(params)
  }

  get count(): number {
    return this.bySlot.size
  }

  /** As nodes answer it. */
  addReceipt({ operation, receipt }: Acknowledgement): void {
    const bytes = fromHex(receipt)
    const signed = decodeReceipt(bytes)
    if (signed === undefined) return void this.faults.push('a receipt does not decode')
    this.promises.push({ number: signed.tick.number, operation: fromHex(operation), receipt: bytes })
    this.addTick(signed)
  }

  /** What a header shows of its parent. */
  addHeader(bytes: Uint8Array): void {
    const header = decodeHeader(bytes)
    const signed = header && parentSigned(header)
    if (header !== undefined && signed !== undefined) this.add(`header ${header.number - 1}`, signed)
  }

  private addTick(tick: SignedTick): void {
    const { number, index } = tick.tick
    const name = `tick ${number}/${index}`
    const signed = tickSigned(this.params, this.network, tick)
    const root = nonceRootOf(this.params.caps.ticks, tick)
    if (signed === undefined || root === undefined) return void this.faults.push(`${name} has a nonce of no table`)
    const table = this.tables.get(number)
    if (table !== undefined && !equalBytes(table, root)) this.faults.push(`batch ${number} has two tables`)
    this.tables.set(number, root)
    this.add(name, signed)
  }

  private add(name: string, signed: SignedMessage): void {
    const { slot } = this.params.keys
    if (!verifySignature(signed.signature, signed.message, slot)) this.faults.push(`${name} is not signed`)
    const known = this.bySlot.get(name)
    if (known !== undefined && !equalBytes(known.message, signed.message)) this.faults.push(`${name} is signed twice`)
    this.bySlot.set(name, signed)
    if (noteSignature(this.signatures, slot, signed) !== undefined) this.faults.push(`${name} gives the slot key away`)
  }
}
