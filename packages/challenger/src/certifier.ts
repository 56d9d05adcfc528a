import { publicKeyOf, signHash } from '@kedge/bitcoin'
import {
  type Certifiable,
  type CertifyAnswer,
  decodeCertifyRequest,
  encodeCertifyAnswer,
  equalBytes,
  type Params,
} from '@kedge/core'
import type { BatchData, NodeOptions } from '@kedge/node'

export interface CertifierParts {
  readonly params: Params
  readonly network: Uint8Array
  readonly data: BatchData
  readonly log: Pick<NodeOptions['log'], 'info'>
  /** Number of the last final batch. */
  readonly finalNumber: () => number
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
    this.place = parts.params.keys.watchers.findIndex((watcher) => equalBytes(watcher, key))
  }

  async answer(request: Uint8Array): Promise<Uint8Array> {
    const { params, network, log } = this.parts
    const asked = decodeCertifyRequest(params, network, request)
    if (asked === undefined) return encodeCertifyAnswer('stranger')
    const work = () => this.judge(asked)
    const done = this.turn.then(work, work)
    this.turn = done
    const answer = await done
    const { number, opCount } = asked.header
    const refusal = typeof answer === 'string' ? answer : undefined
    const told = { number, operations: opCount, ...(refusal && { refusal }) }
    log.info(told, refusal === undefined ? 'vouched for a batch' : 'did not vouch for a batch')
    return encodeCertifyAnswer(answer)
  }

  private async judge({ header, hash, message }: Certifiable): Promise<CertifyAnswer> {
    const { data, secret, finalNumber } = this.parts
    if (header.number <= finalNumber()) return 'over'
    const signal = AbortSignal.timeout(FETCH_MS)
    try {
      const isHeld = await data.hold(hash, signal)
      return isHeld ? { place: this.place, signature: signHash(message, secret) } : 'missing'
    } catch (error) {
      if (signal.aborted) return 'missing'
      throw error
    }
  }
}
