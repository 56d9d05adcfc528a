import './polyfill.ts'
import { setMaxListeners } from 'node:events'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { Traffic, Turns } from './admission.ts'
import { type Announcements, joinAnnouncements, type ValidateHeader } from './announce.ts'
import { type AnswerBond, answerBondMessages, askBond } from './bond.ts'
import type { DataRequest } from './control.ts'
import { asError, withSignals } from './deadline.ts'
import { keepConnected } from './dial.ts'
import { type AnswerData, answerRequests, Fetcher, type FetchOptions } from './exchange.ts'
import { createNode, type Node } from './libp2p.ts'
import { defaultLimits, type Limits } from './limits.ts'
import { KnownPeers, type PeerInfo } from './peers.ts'
import { type ProtocolNames, protocolNames } from './protocol.ts'
import { type Hosting, type Responder, type Response, serve } from './request.ts'
import { answerSubmissions, submit, type TakeTransfers } from './submit.ts'
import { TickTeller } from './tick-teller.ts'
import { answerNewestTick, askForTick, listenForTicks, type TickKeeper } from './ticks.ts'
import { type AnswerWatcher, type AskOptions, answerWatchers, askWatchers } from './vault.ts'

export interface HostOptions {
  /** Ed25519 seed, 32 bytes. The same seed gives the same peer id. */
  readonly secretKey: Uint8Array
  /** The network's id, 32 bytes. */
  readonly network: Uint8Array
  /** Multiaddrs, such as `/ip4/0.0.0.0/tcp/4001`. */
  readonly listen: readonly string[]
  /** Multiaddrs of peers to keep a connection to, with or without `/p2p/<peer id>`. */
  readonly bootstrap: readonly string[]
  /** Judges an announced header before it is passed on. Synchronous and cheap: bytes only. */
  readonly validateHeader: ValidateHeader
  /** Answers requests for batch data. */
  readonly answerData: AnswerData
  /** Given by a node with a sequencer, which takes transfers of others. */
  readonly takeTransfers?: TakeTransfers
  /** Given by a watcher, which signs spends of the vault. */
  readonly answerWatcher?: AnswerWatcher
  /** Given by a watcher, which vouches for data that it holds. */
  readonly answerCertify?: AnswerWatcher
  /** Given by a watcher, which is asked about the sequencer's bond. */
  readonly answerBond?: AnswerBond
  /** Remembers what sequencers have promised. */
  readonly ticks?: TickKeeper
  /** Given by a sequencer: it tells peers of its ticks. */
  readonly tellsTicks?: boolean
  /** Told of what the callbacks above, and listeners, throw: faults of this node, not of peers. */
  readonly report: (error: Error) => void
  readonly limits?: Partial<Limits>
}

export interface Host {
  readonly peerId: string
  /** Multiaddrs it listens on, each with `/p2p/<peer id>`. */
  addresses(): string[]
  /** Connected peers. */
  peers(): PeerInfo[]
  /** Bootstrap addresses whose last dial failed, and why. */
  unreachable(): Unreachable[]
  /** Spreads a header. It may reach nobody: see `Announcements`. */
  announce(header: Uint8Array): Promise<void>
  /** Calls `listener` for each header of others that passed `validateHeader`. Gives the function that ends it. */
  subscribe(listener: (header: Uint8Array) => void): () => void
  /** @see Fetcher.fetch @throws also HostStoppedError. */
  fetch(request: DataRequest, options: FetchOptions): Promise<Uint8Array | undefined>
  /** @see submit @throws also HostStoppedError. */
  submit(transfers: Uint8Array, signal: AbortSignal): Promise<Uint8Array>
  /** @see askWatchers @throws also HostStoppedError. */
  askWatchers(request: Uint8Array, options: AskOptions): Promise<void>
  /** Asks them to vouch for data. @see askWatchers @throws also HostStoppedError. */
  askToCertify(request: Uint8Array, options: AskOptions): Promise<void>
  /** @see askBond @throws also HostStoppedError. */
  askBond(message: Uint8Array, signal: AbortSignal): Promise<Uint8Array[]>
  /** Tells peers of a tick, without waiting for them. Nobody where the host does not tell ticks. */
  tellTick(tick: Uint8Array): void
  /** @see askForTick @throws also HostStoppedError. */
  askForTick(peer: string, signal: AbortSignal): Promise<Response>
  /** Ends all streams, dials and connections, then resolves. */
  stop(): Promise<void>
}

export interface Unreachable {
  readonly address: string
  readonly reason: string
}

/**
 * Starts a host.
 * @throws HostError when an address is malformed or can't be listened on; RangeError for keys of another length.
 */
export async function createHost(options: HostOptions): Promise<Host> {
  if (options.secretKey.length !== 32) throw new RangeError('the secret key is a seed of 32 bytes')
  if (options.network.length !== 32) throw new RangeError('a network id has 32 bytes')
  const bootstrap = options.bootstrap.map(parseAddress)
  for (const address of options.listen) parseAddress(address)
  const limits: Limits = { ...defaultLimits, ...options.limits }
  const names = protocolNames(options.network)
  const { maxStrangers, fetchesInAll, maxDataResponse } = limits
  const responseBytes = 2 * fetchesInAll * maxDataResponse
  const peers = new KnownPeers({ maxStrangers, responseBytes, report: options.report })
  for (const address of bootstrap) peers.trust(peerIdOf(address))
  const node = await createNode({
    secretKey: options.secretKey,
    network: options.network,
    listen: options.listen,
    topic: names.headers,
    gater: peers.gater,
  })
  const stopping = new AbortController()
  setMaxListeners(0, stopping.signal)
  const traffic = new Traffic((peer) => peers.cutOff(peer))
  const hosting = { limits, traffic, report: options.report, stopping: stopping.signal }
  await startNode(node, peers, options, { responders: respondersOf(options, names, hosting), names, hosting })
  const teller = options.tellsTicks ? new TickTeller(peers, names.ticks, limits, stopping.signal) : undefined
  // Behind the listener of `peers`, which notes what it speaks.
  node.addEventListener('peer:identify', () => teller?.refresh())
  const announcements = joinAnnouncements(node.services.pubsub, {
    topic: names.headers,
    validate: options.validateHeader,
    report: options.report,
    cutOff: (peer) => peers.cutOff(peer),
    onAccepted: (peer) => peers.noteUse(peer, 'asked'),
  })
  const failures = new Map<string, string>()
  const dials = dialBootstrap(node, peers, bootstrap, stopping.signal, failures)
  return assembleHost({ node, peers, names, limits, stopping, announcements, dials, failures, teller })
}

interface Running {
  readonly node: Node
  readonly peers: KnownPeers
  readonly names: ProtocolNames
  readonly limits: Limits
  readonly stopping: AbortController
  readonly announcements: Announcements
  readonly dials: Promise<unknown>
  readonly teller: TickTeller | undefined
  /** Bootstrap address to why its last dial failed. */
  readonly failures: ReadonlyMap<string, string>
}

function assembleHost(running: Running): Host {
  const { node, peers, names, limits, stopping, announcements } = running
  const fetcher = new Fetcher(peers, names.data, limits)
  // More at once would be refused.
  const submitting = new Turns(limits.requestsPerPeer)
  const alive = <T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>) =>
    withSignals([stopping.signal, signal], work)
  let stopped: Promise<void> | undefined
  const stop = async () => {
    stopping.abort(new HostStoppedError())
    peers.stop()
    peers.abortNameless(new HostStoppedError())
    await running.dials
    await node.stop()
  }
  return {
    peerId: node.peerId.toString(),
    addresses: () => node.getMultiaddrs().map(String),
    peers: () => peers.list(names.submit),
    unreachable: () => [...running.failures].map(([address, reason]) => ({ address, reason })),
    announce: announcements.announce,
    subscribe: announcements.subscribe,
    fetch: (request, { signal, accept }) => alive(signal, (signal) => fetcher.fetch(request, { signal, accept })),
    submit: (transfers, signal) =>
      alive(signal, (signal) => submitting.run(signal, () => submit(peers, names.submit, transfers, limits, signal))),
    askWatchers: (request, { signal, take }) =>
      alive(signal, (signal) => askWatchers(peers, names.vault, request, limits, { signal, take })),
    askToCertify: (request, { signal, take }) =>
      alive(signal, (signal) => askWatchers(peers, names.certify, request, limits, { signal, take })),
    askBond: (message, signal) => alive(signal, (signal) => askBond(peers, names.bond, message, limits, signal)),
    tellTick: (tick) => running.teller?.tell(tick),
    askForTick: (peer, signal) => alive(signal, (signal) => askForTick(peers, names.newestTick, peer, limits, signal)),
    stop: () => {
      stopped ??= stop()
      return stopped
    },
  }
}

function respondersOf(options: HostOptions, names: ProtocolNames, hosting: Hosting): ReadonlyMap<string, Responder> {
  const responders = new Map([[names.data, answerRequests(options.answerData, hosting)]])
  const { takeTransfers, answerWatcher, answerCertify, answerBond, ticks } = options
  if (takeTransfers !== undefined) {
    responders.set(names.submit, answerSubmissions(takeTransfers, hosting))
  }
  if (answerWatcher !== undefined) {
    responders.set(names.vault, answerWatchers(answerWatcher, hosting))
  }
  if (answerCertify !== undefined) {
    responders.set(names.certify, answerWatchers(answerCertify, hosting))
  }
  if (answerBond !== undefined) {
    responders.set(names.bond, answerBondMessages(answerBond, hosting))
  }
  if (ticks !== undefined) {
    responders.set(names.newestTick, answerNewestTick(ticks, hosting))
  }
  return responders
}

interface Answering {
  readonly responders: ReadonlyMap<string, Responder>
  readonly names: ProtocolNames
  readonly hosting: Hosting
}

/** Protocols are registered before the node starts, so the first thing it says of itself names them all. */
async function startNode(
  node: Node,
  peers: KnownPeers,
  { listen, ticks }: HostOptions,
  { responders, names, hosting }: Answering,
): Promise<void> {
  try {
    for (const [protocol, responder] of responders) {
      await node.handle(protocol, async (stream, connection) => {
        const peer = connection.remotePeer.toString()
        const isAnswered = await serve(responder, stream, { peer, rank: peers.rankOf(peer) })
        if (isAnswered) peers.noteUse(peer, 'asked')
      })
    }
    if (ticks !== undefined) {
      const cutOff = (peer: string) => peers.cutOff(peer)
      const take = listenForTicks({ keeper: ticks, cutOff, ...hosting })
      await node.handle(names.ticks, (stream, { remotePeer }) => {
        const peer = remotePeer.toString()
        take(stream, { peer, rank: peers.rankOf(peer) })
      })
    }
    peers.follow(node)
    await node.start()
  } catch (cause) {
    peers.stop()
    // libp2p puts its own advice first, and then a line of the system's for each address.
    const reason = /Error: (listen .*)/.exec(asError(cause).message)?.[1] ?? asError(cause).message
    throw new HostError(`peers can't be listened for on ${listen.join(', ')}: ${reason}`, { cause })
  }
}

function dialBootstrap(
  node: Node,
  peers: KnownPeers,
  bootstrap: readonly Multiaddr[],
  stopping: AbortSignal,
  failures: Map<string, string>,
): Promise<unknown> {
  const own = `/p2p/${node.peerId.toString()}`
  const dial = async (address: Multiaddr, signal: AbortSignal) => {
    const connection = await node.dial(address, { signal })
    peers.trust(connection.remotePeer.toString())
    return connection
  }
  const others = bootstrap.filter((address) => !address.toString().endsWith(own))
  return Promise.all(
    others.map((address) =>
      keepConnected(dial, address, stopping, (failure) => {
        if (failure === undefined) failures.delete(address.toString())
        else failures.set(address.toString(), failure.message)
      }),
    ),
  )
}

function parseAddress(text: string): Multiaddr {
  try {
    return multiaddr(text)
  } catch (cause) {
    throw new HostError(`not a multiaddr: ${text} (${asError(cause).message})`, { cause })
  }
}

/** Undefined for an address that does not name its peer: who that is shows when it is dialled. */
function peerIdOf(address: Multiaddr): string | undefined {
  return address.getComponents().findLast(({ name }) => name === 'p2p')?.value
}

/** The host could not be started with what it was given. */
export class HostError extends Error {
  override readonly name = 'HostError'
}

/** The host was stopped while something was under way. */
export class HostStoppedError extends Error {
  override readonly name = 'HostStoppedError'
  constructor() {
    super('the host was stopped')
  }
}
