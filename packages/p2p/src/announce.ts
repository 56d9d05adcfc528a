import { type GossipSub, TopicValidatorResult } from '@libp2p/gossipsub'
import { Rates } from './admission.ts'
import { asError } from './deadline.ts'
import { MAX_HEADER } from './limits.ts'

/** News of new headers, by gossip. It is untrusted, may be late, and may be missing: Bitcoin tells the same later. */

/**
 * accept: deliver and pass on. ignore: neither, and no blame. reject: neither, and blame the peer it came from; after
 * about three in half a minute the peer is not listened to.
 */
export type Verdict = 'accept' | 'ignore' | 'reject'
export type ValidateHeader = (header: Uint8Array) => Verdict

/**
 * Distinct announcements a second. A peer's own share is a fraction of what is passed on in all, so that one spammer
 * can't use it up; and what is passed on in all stays below a flood, so that no honest peer that passes on the spam of
 * others is cut off.
 */
const PEER_RATE = { perSecond: 8, burst: 32 }
const ALL_RATE = { perSecond: 32, burst: 128 }
const FLOOD_RATE = { perSecond: 40, burst: 256 }

const verdicts: Readonly<Record<Verdict, TopicValidatorResult>> = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject,
}

export interface Announcements {
  /**
   * The same bytes again within two minutes are not sent. While nobody listens the newest header is kept, and sent
   * within three seconds of somebody doing so.
   * @throws RangeError for more than `MAX_HEADER` bytes.
   */
  announce(header: Uint8Array): Promise<void>
  /** `listener` gets each accepted header of others once. Gives the function that ends it. */
  subscribe(listener: (header: Uint8Array) => void): () => void
}

interface AnnounceOptions {
  readonly topic: string
  readonly validate: ValidateHeader
  readonly report: (error: Error) => void
  /** Cuts off a peer that floods. */
  readonly cutOff: (peer: string) => void
  /** Told of who was the first to pass on a header that is passed on. */
  readonly onAccepted: (peer: string) => void
}

/** Joins the topic. `pubsub` must be running. */
export function joinAnnouncements(pubsub: GossipSub, options: AnnounceOptions): Announcements {
  const { topic, report } = options
  const listeners = new Set<(header: Uint8Array) => void>()
  const judge = judgeAnnouncements(options)
  pubsub.topicValidators.set(
    topic,
    (peer, message) => verdicts[judge(peer.toString(), message.data, performance.now())],
  )
  pubsub.addEventListener('message', (event) => {
    if (event.detail.topic !== topic) return
    for (const listener of listeners) {
      // A copy: what arrived is a view into a whole network read, which a kept header would keep.
      guarded(() => listener(Uint8Array.from(event.detail.data)), report, 'a listener of announcements threw')
    }
  })
  pubsub.subscribe(topic)
  const announce = keepUntilHeard(pubsub, topic, report)
  return {
    announce: async (header) => {
      if (header.length > MAX_HEADER) throw new RangeError(`a header of ${header.length} bytes`)
      await announce(header)
    },
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/**
 * What is published to nobody counts as sent, and could not be sent again for two minutes. Somebody is there for a kept
 * header when he was at two heartbeats (a second apart): his subscription comes before there is a stream to him.
 */
function keepUntilHeard(pubsub: GossipSub, topic: string, report: (error: Error) => void) {
  let kept: Uint8Array | undefined
  let wasHeard = false
  const isHeard = () => pubsub.getSubscribers(topic).length > 0
  const publish = async (header: Uint8Array): Promise<void> => {
    kept = isHeard() ? undefined : header
    if (kept === undefined) await pubsub.publish(topic, header)
  }
  pubsub.addEventListener('gossipsub:heartbeat', () => {
    const [header, isReady] = [kept, wasHeard && isHeard()]
    wasHeard = isHeard()
    if (header === undefined || !isReady) return
    publish(header).catch((cause) => report(new AnnounceError('could not announce a kept header', { cause })))
  })
  return publish
}

/** `now` in ms, never falling. */
export function judgeAnnouncements(
  options: Pick<AnnounceOptions, 'validate' | 'report' | 'cutOff' | 'onAccepted'>,
): (peer: string, header: Uint8Array, now: number) => Verdict {
  const rates = new Rates(PEER_RATE.perSecond, PEER_RATE.burst)
  const allRates = new Rates(ALL_RATE.perSecond, ALL_RATE.burst)
  const floods = new Rates(FLOOD_RATE.perSecond, FLOOD_RATE.burst)
  return (peer, header, now) => {
    if (!floods.take(peer, now)) options.cutOff(peer)
    if (header.length > MAX_HEADER) return 'reject'
    if (!rates.take(peer, now)) return 'ignore'
    const verdict = guarded(
      () => options.validate(Uint8Array.from(header)),
      options.report,
      'the validator of announcements threw',
    )
    if (verdict !== 'accept') return verdict ?? 'ignore'
    if (!allRates.take('all', now)) return 'ignore'
    options.onAccepted(peer)
    return 'accept'
  }
}

function guarded<T>(call: () => T, report: (error: Error) => void, what: string): T | undefined {
  try {
    return call()
  } catch (cause) {
    report(new AnnounceError(what, { cause: asError(cause) }))
    return undefined
  }
}

class AnnounceError extends Error {
  override readonly name = 'AnnounceError'
}
