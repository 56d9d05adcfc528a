import { setImmediate } from 'node:timers/promises'
import { decodeSigned, signedMessage, toHex } from '@kedge/core'
import type { Follower } from './follow.ts'
import type { HeldBatches } from './held.ts'
import type { Line } from './line.ts'
import { Recent } from './recent.ts'

export interface DoubtfulParts {
  readonly follower: Follower
  readonly held: HeldBatches
  readonly network: Uint8Array
}

/** Links that are looked at, from the newest down. */
const LINKS = 64

/** Payments of how many batches are kept, 64 kB for a full one: all that are looked at, else each look reads all of them. */
const KEPT = LINKS

const SLICE = 2048

/**
 * Payments and withdrawals in batches that stand on Bitcoin and not in the ledger: void, found faulty, or not checked so far. Whoever
 * sequenced them may put them into a later batch.
 */
export class DoubtfulBatches {
  private readonly parts: DoubtfulParts
  private readonly recent = new Recent<BigUint64Array>(KEPT)

  constructor(parts: DoubtfulParts) {
    this.parts = parts
  }

  /** Whether one of the last of these batches, as far as its data are here, holds the payment. */
  async has(line: Line, id: Uint8Array): Promise<boolean> {
    const { links } = this.parts.follower
    const last = links.last?.number ?? 0
    for (let number = last; number > 0 && number > last - LINKS; number--) {
      const link = links.get(number)
      if (link?.outcome !== 'batch' || link.headerHash === undefined || line.at(number) !== undefined) continue
      const names = await this.namesOf(link.headerHash)
      if (names?.includes(nameOf(id))) return true
    }
    return false
  }

  private async namesOf(headerHash: Uint8Array): Promise<BigUint64Array | undefined> {
    const known = this.recent.get(toHex(headerHash))
    if (known !== undefined) return known
    const batch = await this.parts.held.get(headerHash)
    if (batch === undefined) return undefined
    const names = new BigUint64Array(batch.operations.length)
    for (const [index, bytes] of batch.operations.entries()) {
      const signed = decodeSigned(bytes)
      if (signed !== undefined) names[index] = nameOf(signedMessage(this.parts.network, signed))
      if (index % SLICE === SLICE - 1) await setImmediate()
    }
    this.recent.put(toHex(headerHash), names, 1)
    return names
  }
}

/** Enough of an id to say that a payment is in doubt. */
function nameOf(id: Uint8Array): bigint {
  return new DataView(id.buffer, id.byteOffset).getBigUint64(0)
}
