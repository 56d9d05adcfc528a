import { type SlotTable, signHeader, signTick, slotTable, tableRoot, tickPoints, xOnlyKey } from '@kedge/bond'
import { networkId, type Params, PREV_SIG_BYTES, type SignedTick, type SlotFields, type Tick } from '@kedge/core'

/** Signs ticks and headers like a sequencer that never restarts: it keeps no store, and makes tables when asked. */
export class SlotSigner {
  private readonly key: ReturnType<typeof xOnlyKey>
  private readonly network: Uint8Array
  private readonly ticks: number
  private readonly tables = new Map<number, SlotTable>()

  /** @param secret the slot key's */
  constructor(params: Params, secret: Uint8Array) {
    this.key = xOnlyKey(secret)
    this.network = networkId(params)
    this.ticks = params.caps.ticks
  }

  /** What the link before batch `number` fixes for it. */
  rootOf(number: number): Uint8Array {
    return tableRoot(this.tableOf(number))
  }

  /** @param before the batch whose link is the link before; a resume is none */
  fieldsOf(number: number, before?: { readonly hash: Uint8Array }): SlotFields {
    const signed = before && signHeader(this.key, this.tableOf(number - 1), before.hash)
    return { nonceRoot: this.rootOf(number + 1), prevSig: signed ?? new Uint8Array(PREV_SIG_BYTES) }
  }

  sign(tick: Tick): SignedTick {
    return signTick(this.key, this.tableOf(tick.number), tick)
  }

  private tableOf(number: number): SlotTable {
    const id = { network: this.network, number, salt: new Uint8Array(32) }
    const table = this.tables.get(number) ?? slotTable(this.key, id, tickPoints(this.key, id, 0, this.ticks))
    this.tables.set(number, table)
    return table
  }
}
