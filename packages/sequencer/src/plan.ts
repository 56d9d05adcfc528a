import { type Chain, equalBytes, headOf } from '@kedge/core'
import type { Head } from '@kedge/node'

/** An anchor this sequencer has bound itself to. `headerHash` is the parent's where it is a resume. */
export interface OwnLink {
  readonly number: number
  readonly kind: 'batch' | 'resume'
  readonly headerHash: Uint8Array
}

/** What Bitcoin will say once every intended anchor is mined in its order. */
export interface Plan {
  readonly mode: Chain['mode']
  readonly head: Head
  /** Own batches that are not anchored yet and will live. */
  readonly tail: readonly Head[]
  readonly lastNumber: number
}

/**
 * Walks the intended anchors from where Bitcoin stands. It is the rule of links once more, but asked of nobody's
 * transactions: own intents are in order and well formed, so only mode and parent decide.
 */
export function planAhead(chain: Chain, intended: readonly OwnLink[]): Plan {
  const tip = headOf(chain)
  let { mode } = chain
  let head: Head = { number: tip.number, headerHash: tip.headerHash }
  let lastNumber = chain.link.number
  const tail: Head[] = []
  for (const link of intended) {
    if (link.number <= chain.link.number || mode === 'closed') continue
    lastNumber = link.number
    if (link.kind === 'resume') {
      if (equalBytes(link.headerHash, head.headerHash)) mode = 'active'
    } else if (mode === 'active') {
      head = { number: link.number, headerHash: link.headerHash }
      tail.push(head)
    }
  }
  return { mode, head, tail, lastNumber }
}
