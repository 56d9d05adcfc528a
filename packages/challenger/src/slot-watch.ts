import { extractSlotSecret, noteSignature, type Signatures, type SignedMessage } from '@kedge/bond'
import { equalBytes, Reader, toHex, Writer } from '@kedge/core'
import { DamagedError, marks, type Store, type Write } from '@kedge/storage'

/**
 * Messages of the slot key that are remembered, of ticks and headers alike: two with one nonce are what is looked for.
 * What falls out is no way to say two things: one of them is a promise that its batch breaks (`PromiseWatch`).
 */
const MAX_SIGNED = 100_000

/** Two messages in one slot: from here on nothing else is needed, so one pair is kept, and for ever. */
const PAIR = 'bond/equivocation'

/** What the slot key was seen to sign, and its secret, once it signed two messages for one slot. */
export class SlotWatch {
  private readonly key: Uint8Array
  private readonly seen: Signatures = new Map()
  private found: Uint8Array | undefined
  private unwritten: Write | undefined

  /** @param key the slot key, x-only */
  constructor(key: Uint8Array) {
    this.key = key
  }

  /** The slot key's. */
  get secret(): Uint8Array | undefined {
    return this.found
  }

  /** Takes up the pair that was found before a restart. @throws DamagedError */
  async load(store: Store): Promise<void> {
    const bytes = await store.get(marks, PAIR)
    if (bytes === undefined) return
    const pair = decodePair(bytes)
    const secret = pair && extractSlotSecret(this.key, ...pair)
    if (secret === undefined) throw new DamagedError('two messages that were kept for one slot are none')
    this.found = secret
  }

  /** Whether this very message was seen. */
  has({ signature, message }: SignedMessage): boolean {
    const known = this.seen.get(nonceOf(signature))
    return known !== undefined && equalBytes(known.message, message)
  }

  /** Whether any message is remembered of its slot. */
  knows({ signature }: SignedMessage): boolean {
    return this.seen.has(nonceOf(signature))
  }

  /** Whether another message was seen in its slot. */
  hasOther(signed: SignedMessage): boolean {
    return this.knows(signed) && !this.has(signed)
  }

  /** @param signed by the slot key: who adds it has looked, as what nobody signed would hide what somebody did */
  note(signed: SignedMessage): void {
    if (this.found !== undefined) return
    const before = this.seen.get(nonceOf(signed.signature))
    this.found = noteSignature(this.seen, this.key, signed)
    const oldest = this.seen.keys().next()
    if (this.seen.size > MAX_SIGNED && oldest.done !== true) this.seen.delete(oldest.value)
    if (this.found !== undefined && before !== undefined) this.unwritten = marks.put(PAIR, encodePair(before, signed))
  }

  /** What is to be on disk before anything is done with the secret. */
  takeWrites(): Write[] {
    const { unwritten } = this
    this.unwritten = undefined
    return unwritten === undefined ? [] : [unwritten]
  }
}

function nonceOf(signature: Uint8Array): string {
  return toHex(signature.slice(0, 32))
}

function encodePair(...pair: readonly [SignedMessage, SignedMessage]): Uint8Array {
  const writer = new Writer(192)
  for (const { message, signature } of pair) writer.hash(message).fixed(signature, 64)
  return writer.bytes
}

function decodePair(bytes: Uint8Array): [SignedMessage, SignedMessage] | undefined {
  const reader = new Reader(bytes)
  const read = (): SignedMessage => ({ message: reader.hash(), signature: reader.fixed(64) })
  const pair: [SignedMessage, SignedMessage] = [read(), read()]
  return reader.done ? pair : undefined
}
