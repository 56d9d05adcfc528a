import { encodeReceipt, nonceRootOf, type Params, type Receipt, tickMessage, toHex } from '@kedge/core'
import { verifySignature } from '@kedge/signatures'

/** Batches of which the newest tick is kept: those that may still be open somewhere. */
const KEPT = 16

/**
 * The newest tick of each batch that passed through this node, by its parent: it tells a sequencer whose own record is
 * older that it is. Only what the slot key signed is kept.
 */
export class SeenTicks {
  private readonly params: Params
  private readonly network: Uint8Array
  private readonly newest = new Map<string, Receipt>()

  constructor(params: Params, network: Uint8Array) {
    this.params = params
    this.network = network
  }

  note(receipt: Receipt): void {
    const name = toHex(receipt.tick.parent)
    const known = this.newest.get(name)
    const isNewer = known === undefined || compareTicks(receipt, known) > 0
    if (!isNewer || !isTickSigned(this.params, this.network, receipt)) return
    this.newest.delete(name)
    this.newest.set(name, receipt)
    const oldest = this.newest.keys().next()
    if (this.newest.size > KEPT && oldest.done !== true) this.newest.delete(oldest.value)
  }

  /** A receipt's bytes, with the newest tick behind this header; whatever it is for. */
  behind(parent: Uint8Array): Uint8Array | undefined {
    const receipt = this.newest.get(toHex(parent))
    return receipt && encodeReceipt(receipt)
  }
}

/** Whether the slot key signed the tick, in a slot of its own. */
export function isTickSigned(params: Params, network: Uint8Array, receipt: Receipt): boolean {
  const root = nonceRootOf(params.caps.ticks, receipt)
  const message = root && tickMessage(network, receipt.tick, root)
  return message !== undefined && verifySignature(receipt.signature, message, params.keys.slot)
}

function compareTicks({ tick: one }: Receipt, { tick: other }: Receipt): number {
  return one.number - other.number || one.index - other.index
}
