import { publicKeyOf, signHash } from '@kedge/bitcoin'
import {
  type Certifiable,
  type CertifyAnswer,
  decodeCertifyRequest,
  encodeCertifyAnswer,
  equalBytes,
} from '@kedge/core'
import type { NodeParts } from '@kedge/node'

export interface CertifierParts {
  readonly node: Pick<NodeParts, 'options' | 'network' | 'follower' | 'data'>
  /** One of the network's watchers'. */
  readonly secret: Uint8Array
}

/** Until a request's data must be here: whoever asks waits no longer. */
const FETCH_MS = 8_000

/**
 * Vouches for data with this watcher's key. Order of effects: the header's operations and step roots are on disk, proven
 * against it, then it signs. It vouches for nothing but that it has them: what they say, it checks when they are anchored,
 * like anybody. One request at a time: each may be some 16 MB.
 */
export class Certifier {
  private readonly parts: CertifierParts
  private readonly place: number
  private turn: Promise<unknown> = Promise.resolve()

  constructor(parts: CertifierParts) {
    this.parts = parts
    const key = publicKeyOf(parts.secret)
    this.place = parts.node.options.params.keys.watchers.findIndex((watcher) => equalBytes(watcher, key))
  }

  async answer(request: Uint8Array): Promise<Uint8Array> {
    const { node } = this.parts
    const asked = decodeCertifyRequest(node.options.params, node.network, request)
    if (asked === undefined) return encodeCertifyAnswer('stranger')
    const work = () => this.judge(asked)
    const done = this.turn.then(work, work)
    this.turn = done
    const answer = await done
    const { number, opCount } = asked.header
    const refusal = typeof answer === 'string' ? answer : undefined
    const told = { number, operations: opCount, ...(refusal && { refusal }) }
    node.options.log.info(told, refusal === undefined ? 'vouched for a batch' : 'did not vouch for a batch')
    return encodeCertifyAnswer(answer)
  }

  private async judge({ header, hash, message }: Certifiable): Promise<CertifyAnswer> {
    const { node, secret } = this.parts
    if (header.number <= node.follower.chain.final.number) return 'over'
    const signal = AbortSignal.timeout(FETCH_MS)
    try {
      const isHeld = await node.data.hold(hash, signal)
      return isHeld ? { place: this.place, signature: signHash(message, secret) } : 'missing'
    } catch (error) {
      if (signal.aborted) return 'missing'
      throw error
    }
  }
}
