import { decodeReceipt, encodeReceipt, nonceRootOf, type Params, type Receipt, tickMessage } from '@kedge/core'
import type { TickKeeper, TickListener } from '@kedge/p2p'
import { verifySignature } from '@kedge/signatures'

/**
 * The newest tick that this node knows of: it tells a sequencer whose own record is older that it is. Numbers of batches
 * only grow, so whoever knows the newest need not know any other. Only what the slot key signed is kept.
 *
 * A sequencer tells of hundreds in a second, so of each stream the first tick is checked at once, and of those behind it
 * the last, when somebody wants it: an honest sequencer's are all signed, and a liar's hide nobody's but his own.
 */
export class SeenTicks implements TickKeeper {
  private readonly params: Params
  private readonly network: Uint8Array
  private readonly watch: WatchTick | undefined
  private readonly lines = new Set<Line>()
  private known: Receipt | undefined

  /** @param watch told of each tick that others signed, however old */
  constructor(params: Params, network: Uint8Array, watch?: WatchTick) {
    this.params = params
    this.network = network
    this.watch = watch
  }

  /** @returns whether it is signed, as far as somebody looked */
  note(receipt: Receipt): boolean {
    return this.watch?.(receipt) !== false && this.noteNewer(receipt)
  }

  private noteNewer(receipt: Receipt): boolean {
    if (!isNewer(receipt, this.known)) return true
    if (!isTickSigned(this.params, this.network, receipt)) return false
    this.known = receipt
    return true
  }

  /** What this node signed itself. */
  noteOwn(receipt: Receipt): void {
    if (isNewer(receipt, this.known)) this.known = receipt
  }

  listen(): TickListener {
    const line: Line = { isFalse: false }
    this.lines.add(line)
    return {
      take: (bytes) => this.take(line, bytes),
      end: () => {
        this.settle(line)
        this.lines.delete(line)
      },
    }
  }

  /** A receipt's bytes; whatever it is for. */
  newest(): Uint8Array | undefined {
    for (const line of this.lines) this.settle(line)
    return this.known && encodeReceipt(this.known)
  }

  private take(line: Line, bytes: Uint8Array): boolean {
    const receipt = decodeReceipt(bytes)
    if (receipt === undefined || line.isFalse) return false
    line.isFalse = this.watch?.(receipt) === false
    if (line.isFalse) return false
    if (!isNewer(receipt, line.last ?? this.known)) return true
    if (line.isProven) line.last = receipt
    else line.isFalse = !this.noteNewer(receipt)
    line.isProven = true
    return !line.isFalse
  }

  private settle(line: Line): void {
    if (line.last !== undefined && !this.noteNewer(line.last)) line.isFalse = true
    line.last = undefined
  }
}

/** False for what nobody signed. Synchronous and cheap. */
export type WatchTick = (receipt: Receipt) => boolean

/** What came over one stream. */
interface Line {
  /** Its first tick is checked. */
  isProven?: true
  /** Newer than what is known, and not checked yet. */
  last?: Receipt | undefined
  /** It told what nobody signed: at the next tick its peer hears of it. */
  isFalse: boolean
}

/** Whether the slot key signed the tick, in a slot of its own. */
export function isTickSigned(params: Params, network: Uint8Array, receipt: Receipt): boolean {
  const root = nonceRootOf(params.caps.ticks, receipt)
  const message = root && tickMessage(network, receipt.tick, root)
  return message !== undefined && verifySignature(receipt.signature, message, params.keys.slot)
}

function isNewer({ tick: one }: Receipt, other: Receipt | undefined): boolean {
  return other === undefined || (one.number - other.tick.number || one.index - other.tick.index) > 0
}
