import { equalBytes, Reader, Writer } from '@kedge/core'

/**
 * Signing at most one message for a slot, whatever crashes. For fixed nonces and for one-time signatures alike.
 *
 * A *line* is a row of slots that are used in order: a batch's ticks, its header (a row of one), a seat's answers in a
 * dispute. Its record is small and of one size: the next slot, and what was signed in the last one. The order of
 * effects is: claim, write the new record (synced, with whatever else goes with it), keep it, sign, send; and nothing
 * else is claimed on the line until the write is done. Signing twice is then impossible, and signing again what was
 * signed is harmless: a crash after the write only leaves a slot that nobody has heard from.
 */
export interface SlotLine {
  /** The first slot that nothing was signed in, here or anywhere. */
  readonly next: number
  /** 32 bytes: the message of slot `next` − 1. Zeros where there is none. */
  readonly last: Uint8Array
}

export const FRESH_LINE: SlotLine = { next: 0, last: new Uint8Array(32) }

export type Claim =
  /** Sign once this record is on disk. */
  | { readonly ok: true; readonly line: SlotLine; readonly write: boolean }
  | { readonly ok: false; readonly error: SlotTakenError }

/**
 * Whether `message` may be signed in the line's slot `index`. Slots may be left out, and are closed then.
 * @param message 32 bytes
 */
export function claimSlot(line: SlotLine, index: number, message: Uint8Array): Claim {
  if (index >= line.next) return { ok: true, line: { next: index + 1, last: message }, write: true }
  // The same message gets the same signature: nobody learns anything from it.
  const isLast = index === line.next - 1
  if (isLast && equalBytes(line.last, message)) return { ok: true, line, write: false }
  return { ok: false, error: new SlotTakenError(index, isLast ? 'taken' : 'passed') }
}

/**
 * Why this record can't be the newest, when somebody else holds a signature for slot `index`: on Bitcoin, with a peer,
 * in a receipt. Undefined where the two agree, and where the record is too new to tell.
 */
export function findStaleness(line: SlotLine, index: number, message: Uint8Array): StaleLineError | undefined {
  if (index >= line.next) return new StaleLineError(index, 'behind')
  if (index < line.next - 1 || equalBytes(line.last, message)) return undefined
  return new StaleLineError(index, 'twin')
}

const LINE_BYTES = 36

export function encodeLine({ next, last }: SlotLine): Uint8Array {
  return new Writer(LINE_BYTES).u32(next).hash(last).bytes
}

/** Undefined for bytes that are no record: then nobody knows what was signed, and nothing may be. */
export function decodeLine(bytes: Uint8Array): SlotLine | undefined {
  const reader = new Reader(bytes)
  const line: SlotLine = { next: reader.u32(), last: reader.hash() }
  return reader.done ? line : undefined
}

/** The slot is used up. A bug or a twin asked for it; the key is safe as long as nobody signs. */
export class SlotTakenError extends Error {
  override readonly name = 'SlotTakenError'
  /** `taken`: by another message; `passed`: later ones were used since, so what it holds is not kept here. */
  readonly reason: 'taken' | 'passed'

  constructor(index: number, reason: 'taken' | 'passed') {
    const why = reason === 'taken' ? 'was used for another message' : 'lies before the last one used'
    super(
      `slot ${index} ${why}: a second signature would reveal the key; use the next slot, or resume with a new table`,
    )
    this.reason = reason
  }
}

/** The store is not the newest there was of this key. */
export class StaleLineError extends Error {
  override readonly name = 'StaleLineError'
  /** `behind`: it is an old copy; `twin`: another process signs with the same key. */
  readonly reason: 'behind' | 'twin'

  constructor(index: number, reason: 'behind' | 'twin') {
    const what = reason === 'behind' ? 'this store does not know of' : 'differs from the one in this store'
    super(
      `a signature for slot ${index} exists that ${what}: sign nothing with this key for this batch; make sure that no ` +
        'other process has the key, then resume with a new table',
    )
    this.reason = reason
  }
}
