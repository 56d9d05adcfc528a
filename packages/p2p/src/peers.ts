import type { Connection, ConnectionGater, PeerId } from '@libp2p/interface'
import { MAX_KEYS } from './admission.ts'
import type { Node } from './libp2p.ts'
import { Places, type Use } from './places.ts'
import type { Peers } from './request.ts'
import { type Rank, Room } from './room.ts'

/** Who is connected, what they speak, and who is kept out. */

export interface PeerInfo {
  readonly id: string
  readonly address: string
  readonly direction: 'inbound' | 'outbound'
  /** Milliseconds since 1970. */
  readonly connectedAt: number
  /** Takes transfers. False until the peer has said what it speaks. */
  readonly isSequencer: boolean
}

/** A peer needs one; two come about when both dial at once. */
const CONNECTIONS_PER_PEER = 2
/** For how long a peer that flooded is kept out. */
const CUT_OFF_MS = 60_000
/** How often what libp2p has stored of peers that left is thrown away: strangers can come under any number of names. */
const FORGET_MS = 60_000

interface PeersOptions {
  readonly maxStrangers: number
  /** Bytes that responses under way may hold in all. */
  readonly responseBytes: number
  readonly report: (error: Error) => void
}

export class KnownPeers implements Peers {
  private node: Node | undefined
  /** Of connected peers that have said it. */
  private readonly protocols = new Map<string, readonly string[]>()
  /** Peer to the time until which it is kept out, ms of `performance.now`. */
  private readonly keptOut = new Map<string, number>()
  private readonly maxStrangers: number
  private readonly report: (error: Error) => void
  private readonly places = new Places()
  /** Bootstrap peers whose names are known. */
  private readonly trusted = new Set<string>()
  private forgetting: NodeJS.Timeout | undefined
  readonly taking: Room

  constructor(options: PeersOptions) {
    this.maxStrangers = options.maxStrangers
    this.report = options.report
    this.taking = new Room(options.responseBytes, 0)
  }

  /** From now on it has a place whoever else is connected. */
  trust(peer: string | undefined): void {
    if (peer !== undefined) this.trusted.add(peer)
  }

  noteUse(peer: string, use: Use): void {
    this.places.note(peer, use, Date.now())
  }

  readonly gater: ConnectionGater = {
    denyInboundEncryptedConnection: (peer) =>
      this.isKeptOut(peer) || this.connections(peer).length >= CONNECTIONS_PER_PEER,
    denyOutboundEncryptedConnection: (peer) => this.isKeptOut(peer),
  }

  follow(node: Node): void {
    this.node = node
    node.addEventListener('peer:identify', (event) => {
      this.protocols.set(event.detail.peerId.toString(), event.detail.protocols)
    })
    node.addEventListener('peer:disconnect', (event) => this.protocols.delete(event.detail.toString()))
    node.addEventListener('connection:open', (event) => this.makePlace(event.detail))
    this.forgetting = setInterval(() => void this.forgetGone(node), FORGET_MS)
  }

  stop(): void {
    clearInterval(this.forgetting)
  }

  list(submit: string): PeerInfo[] {
    return this.connectedPeers().map(({ id, connection }) => ({
      id,
      address: connection.remoteAddr.toString(),
      direction: connection.direction,
      connectedAt: connection.timeline.open,
      isSequencer: this.protocols.get(id)?.includes(submit) ?? false,
    }))
  }

  rankOf(peer: string): Rank {
    const connections = this.node?.getConnections().filter(({ remotePeer }) => remotePeer.toString() === peer) ?? []
    if (this.trusted.has(peer) || connections.some(({ direction }) => direction === 'outbound')) return 2
    return this.places.hasGiven(peer) ? 1 : 0
  }

  speaking(protocol: string): string[] {
    const ids = this.connectedPeers().map(({ id }) => id)
    const known = ids.filter((id) => this.protocols.get(id)?.includes(protocol))
    const speaking = [...known, ...ids.filter((id) => !this.protocols.has(id))]
    const ranked = speaking.map((id) => ({ id, rank: this.rankOf(id) }))
    return ranked.sort((a, b) => b.rank - a.rank).map(({ id }) => id)
  }

  async openStream(peer: string, protocol: string, signal: AbortSignal) {
    const connected = this.connectedPeers().find(({ id }) => id === peer)
    if (connected === undefined) throw new Error(`${peer} is not connected`)
    return await connected.connection.newStream(protocol, { signal })
  }

  /** Hangs up on `peer` and lets it in again only after a while. */
  cutOff(peer: string): void {
    this.keptOut.delete(peer)
    this.keptOut.set(peer, performance.now() + CUT_OFF_MS)
    const oldest = this.keptOut.keys().next()
    if (this.keptOut.size > MAX_KEYS && oldest.done !== true) this.keptOut.delete(oldest.value)
    for (const { id, connection } of this.connectedPeers()) {
      if (id === peer) connection.abort(new CutOffError(peer))
    }
  }

  /** Ends connections until those of strangers, the newcomer's among them, are no more than they may be. */
  private makePlace(newcomer: Connection): void {
    if (!this.isStranger(newcomer)) return
    const others = (this.node?.getConnections() ?? []).filter(
      (connection) => connection !== newcomer && connection.status === 'open' && this.isStranger(connection),
    )
    const guests = others.map((connection) => ({
      connection,
      peer: connection.remotePeer.toString(),
      since: connection.timeline.open,
    }))
    while (guests.length >= this.maxStrangers) {
      const guest = this.places.leastUseful(guests)
      if (guest === undefined) return
      guests.splice(guests.indexOf(guest), 1)
      guest.connection.abort(new CrowdedOutError(guest.peer))
    }
  }

  private isStranger({ direction, remotePeer }: Connection): boolean {
    return direction === 'inbound' && !this.trusted.has(remotePeer.toString())
  }

  /** Cuts the streams whose opener has not said what for: a stop would wait for each, and nobody else ends them. */
  abortNameless(reason: Error): void {
    const streams = this.node?.getConnections().flatMap((connection) => connection.streams) ?? []
    for (const stream of streams) if (stream.protocol === '') stream.abort(reason)
  }

  /** One open connection of each peer. */
  private connectedPeers(): { readonly id: string; readonly connection: Connection }[] {
    const byPeer = new Map<string, Connection>()
    for (const connection of this.node?.getConnections() ?? []) {
      if (connection.status === 'open') byPeer.set(connection.remotePeer.toString(), connection)
    }
    return [...byPeer].map(([id, connection]) => ({ id, connection }))
  }

  private connections(peer: PeerId): readonly Connection[] {
    return this.node?.getConnections(peer) ?? []
  }

  private isKeptOut(peer: PeerId): boolean {
    return (this.keptOut.get(peer.toString()) ?? 0) > performance.now()
  }

  /** Throws away what libp2p has stored of peers that are not connected. */
  async forgetGone(node: Node): Promise<void> {
    try {
      for (const { id } of await node.peerStore.all()) {
        if (this.connections(id).length === 0) await node.peerStore.delete(id)
      }
    } catch (cause) {
      this.report(new Error('could not forget peers that left', { cause }))
    }
  }
}

class CrowdedOutError extends Error {
  override readonly name = 'CrowdedOutError'
  constructor(peer: string) {
    super(`${peer} was the least useful of too many`)
  }
}

class CutOffError extends Error {
  override readonly name = 'CutOffError'
  constructor(peer: string) {
    super(`${peer} flooded`)
  }
}
