import { type Chain, equalBytes, headOf, type Origin } from '@kedge/core'
import type { Head } from '@kedge/node'

/** An anchor this sequencer has bound itself to. */
export type OwnLink = OwnBatch | OwnResume

export interface OwnBatch {
  readonly kind: 'batch'
  readonly number: number
  readonly headerHash: Uint8Array
  readonly parent: Uint8Array
  readonly origin: Origin
}

export interface OwnResume {
  readonly kind: 'resume'
  readonly number: number
  /** The parent's. */
  readonly headerHash: Uint8Array
}

/** What Bitcoin will say once every intended anchor is mined in its order. */
export interface Plan {
  /** `broken`: the next number has to be a resume's. */
  readonly mode: Chain['mode']
  readonly head: Head
  /** Own batches that are not anchored yet and will live. */
  readonly tail: readonly Head[]
  /** Of the first of these: none of the others' is older. */
  readonly oldest?: Origin
  readonly lastNumber: number
}

/**
 * Walks the intended anchors from where Bitcoin stands. It is the rule of links once more, but asked of nobody's
 * transactions: own intents are in order and well formed. Only a reorganisation can give a batch another parent than its
 * header names, or take its origin.
 * @param taken numbers up to this one may be others' headers that nobody has seen: a resume takes a number without one
 */
export function planAhead(
  chain: Chain,
  intended: readonly OwnLink[],
  lapses: (origin: Origin) => boolean,
  taken: number,
): Plan {
  const tip = headOf(chain)
  let mode: Plan['mode'] = chain.mode
  let head: Head = { number: tip.number, headerHash: tip.headerHash }
  let lastNumber = chain.link.number
  const tail: Head[] = []
  let oldest: Origin | undefined
  for (const link of intended) {
    if (link.number <= chain.link.number || mode === 'closed') continue
    lastNumber = link.number
    if (link.kind === 'resume') {
      mode = equalBytes(link.headerHash, head.headerHash) ? 'active' : 'broken'
    } else if (mode === 'active' && equalBytes(link.parent, head.headerHash) && !lapses(link.origin)) {
      head = { number: link.number, headerHash: link.headerHash }
      tail.push(head)
      oldest ??= link.origin
    } else if (mode === 'active') mode = 'broken'
  }
  const isOthers = mode === 'active' && lastNumber < taken
  return { mode: isOthers ? 'broken' : mode, head, tail, ...(oldest && { oldest }), lastNumber }
}
