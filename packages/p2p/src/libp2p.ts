import './polyfill.ts'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { type GossipSub, type GossipsubOpts, gossipsub, StrictNoSign } from '@libp2p/gossipsub'
import { type Identify, identify } from '@libp2p/identify'
import type { ConnectionGater, Libp2p } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { createLibp2p } from 'libp2p'
import { boundedYamux } from './muxer.ts'

/** How libp2p is put together and bounded. */

export type Node = Libp2p<{ identify: Identify; pubsub: GossipSub }>

export interface NodeOptions {
  /** Ed25519 seed, 32 bytes. */
  readonly secretKey: Uint8Array
  /** 32 bytes. Bound into the handshake, so a peer of another network fails there and takes no place. */
  readonly network: Uint8Array
  readonly listen: readonly string[]
  /** The only gossip topic. */
  readonly topic: string
  readonly gater: ConnectionGater
}

/**
 * Dials and handshakes that an address may have under way: `8 · 3 s` of the places for all, so it takes many addresses
 * to keep others from shaking hands.
 */
const HANDSHAKES_PER_SECOND = 8
const HANDSHAKE_MS = 3_000
const HANDSHAKES_AT_ONCE = 256

/** Negotiating a stream; until then libp2p holds up to 4 MiB of what its opener sends. */
const NEGOTIATION_MS = 3_000

export async function createNode(options: NodeOptions): Promise<Node> {
  return await createLibp2p({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', options.secretKey),
    addresses: { listen: [...options.listen] },
    transports: [tcp()],
    connectionEncrypters: [noise({ prologueBytes: options.network })],
    streamMuxers: [boundedYamux()],
    connectionGater: options.gater,
    connectionManager: {
      // peers.ts bounds them: libp2p's own bound would refuse a newcomer before it has said who it is.
      maxConnections: Number.MAX_SAFE_INTEGER,
      inboundConnectionThreshold: HANDSHAKES_PER_SECOND,
      maxIncomingPendingConnections: HANDSHAKES_AT_ONCE,
      inboundUpgradeTimeout: HANDSHAKE_MS,
      inboundStreamProtocolNegotiationTimeout: NEGOTIATION_MS,
    },
    services: { identify: identify(), pubsub: gossipsub(gossipOptions(options.topic)) },
  })
}

/** Longest gossip message on the wire: 3 seconds of headers in answer to one request, with room. */
const MAX_GOSSIP = 128 * 1024
/** What waits for a peer that reads slowly. Beyond it the peer's stream is cut. */
const MAX_GOSSIP_QUEUED = 1024 * 1024

/**
 * StrictNoSign: a header has no authority from whoever passes it on, and its message id is the hash of its bytes, so
 * the same header from many origins is one message. With StrictSign each origin's copy would be a message of its own,
 * every node would be named on what it announces, and each message would cost a signature and its check (799 against
 * 1,282 messages of 100 kB a second).
 */
function gossipOptions(topic: string): Partial<GossipsubOpts> {
  return {
    globalSignaturePolicy: StrictNoSign,
    allowedTopics: [topic],
    fallbackToFloodsub: false,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    maxInboundDataLength: MAX_GOSSIP,
    maxOutboundBufferSize: MAX_GOSSIP_QUEUED,
    maxInboundStreams: 2,
    maxOutboundStreams: 1,
    decodeRpcLimits: {
      maxSubscriptions: 16,
      maxMessages: 256,
      maxIhaveMessageIDs: 1024,
      maxIwantMessageIDs: 1024,
      maxIdontwantMessageIDs: 512,
      maxControlMessages: 64,
      maxPeerInfos: 16,
    },
    scoreParams: {
      // Nodes of one operator stand behind one address; connections are bounded anyway.
      IPColocationFactorWeight: 0,
      // A node that is busy for a second keeps its promises late; only a habit counts.
      behaviourPenaltyThreshold: 6,
      topics: { [topic]: topicScore },
    },
  }
}

/**
 * Only rejected messages count: -10 times the square of their number, which falls by 3% a second. Two lose a peer its
 * gossip (-10), three are ignored altogether (-80). A network that is quiet must not cost anybody anything.
 */
const topicScore = {
  topicWeight: 1,
  invalidMessageDeliveriesWeight: -10,
  invalidMessageDeliveriesDecay: 0.97,
  timeInMeshWeight: 0,
  timeInMeshQuantum: 1,
  timeInMeshCap: 1,
  firstMessageDeliveriesWeight: 0,
  firstMessageDeliveriesDecay: 0.5,
  firstMessageDeliveriesCap: 1,
  meshMessageDeliveriesWeight: 0,
  meshMessageDeliveriesDecay: 0.5,
  meshMessageDeliveriesCap: 1,
  meshMessageDeliveriesThreshold: 1,
  meshMessageDeliveriesWindow: 10,
  meshMessageDeliveriesActivation: 5_000,
  meshFailurePenaltyWeight: 0,
  meshFailurePenaltyDecay: 0.5,
}
