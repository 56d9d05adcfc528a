import type { IncomingMessage, ServerResponse } from 'node:http'
import { isIPv6, type Socket } from 'node:net'
import { Rations } from './rations.ts'

export interface PlaceLimits {
  /** Connections at a time. */
  readonly connections: number
  /** Those of them that may be one address's. This machine's own, a reverse proxy perhaps, may have all. */
  readonly addressConnections: number
  /** For a client to take its answer, once there is one. */
  readonly takeMs: number
}

/** Who may have a connection, and a request on it. */
export interface Places {
  /** Gives a new connection a place, be it that of one whose client is waited for; or closes it. */
  enter(socket: Socket): void
  /**
   * Has `work` done, which answers a request, when it is the connection's turn; closes the connection when that fails, or
   * when its client sends on without waiting.
   */
  serve(incoming: IncomingMessage, outgoing: ServerResponse, work: () => Promise<unknown>): void
  /** Some of what a request on this connection submitted was taken. */
  credit(socket: Socket, rows: number): void
}

interface Connection {
  readonly socket: Socket
  readonly client: string | undefined
  unanswered: Exchange[]
}

interface Exchange {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  /** Its turn has come. */
  isBegun: boolean
}

/** Requests that a connection may have unanswered: one, and one that its client sent when the answer's last byte came. */
const UNANSWERED = 2

/**
 * When all places are taken, a newcomer gets that of the connection whose client has been waited for the longest: for a
 * request, the rest of one, or that it takes its answer; or who waits for its turn. A request that is being worked on is
 * never given up.
 *
 * Connections that had an answer wait apart from those that had none, and the larger crowd gives a place: so neither
 * sockets that say nothing push out those who ask now and then, nor do these keep all others out.
 * @param report told how many were refused or had to leave so far
 * @param fail told why a request was not answered
 */
export function openPlaces(
  limits: PlaceLimits,
  report: (left: number) => void,
  fail: (error: unknown) => void,
): Places {
  const connections = new WeakMap<Socket, Connection>()
  /** In the order in which they began to wait. */
  const silent = new Set<Connection>()
  const served = new Set<Connection>()
  const rations = new Rations(() => silent.size + served.size)
  const ownMax = limits.addressConnections
  let left = 0
  const leave = (connection: Connection) => {
    silent.delete(connection)
    served.delete(connection)
  }
  const dismiss = ({ socket }: Connection) => {
    socket.destroy()
    report(++left)
  }
  /** Undefined while there is room; the newcomer itself where all are at work. */
  const findLeaver = (newcomer: Connection): Connection | undefined => {
    const isOwn = ({ client }: Connection) => client === newcomer.client
    const hasMany = newcomer.client !== undefined && countOf(silent, isOwn) + countOf(served, isOwn) >= ownMax
    if (!hasMany && silent.size + served.size < limits.connections) return undefined
    const isIn = hasMany ? isOwn : () => true
    const isSilent = hasMany ? countOf(silent, isOwn) >= countOf(served, isOwn) : silent.size >= served.size
    const crowds = isSilent ? [silent, served] : [served, silent]
    for (const crowd of crowds) for (const each of crowd) if (isIn(each) && !isWorkedOn(each)) return each
    return newcomer
  }
  return {
    enter(socket) {
      const newcomer: Connection = { socket, client: clientOf(socket.remoteAddress), unanswered: [] }
      const leaver = findLeaver(newcomer)
      if (leaver !== undefined) {
        leave(leaver)
        dismiss(leaver)
      }
      if (socket.destroyed) return
      connections.set(socket, newcomer)
      silent.add(newcomer)
      socket.on('close', () => leave(newcomer))
    },
    serve(incoming, outgoing, work) {
      const { socket } = incoming
      const connection = connections.get(socket)
      if (connection === undefined || socket.destroyed) return
      const open = connection.unanswered.filter((each) => !each.outgoing.writableEnded)
      const exchange: Exchange = { incoming, outgoing, isBegun: false }
      connection.unanswered = [...open, exchange]
      if (open.length >= UNANSWERED) {
        stopReading(socket)
        socket.destroy()
        return
      }
      const begin = () => {
        exchange.isBegun = true
        return work()
      }
      const end = () => {
        leave(connection)
        if (socket.destroyed) return
        served.add(connection)
        if (!outgoing.writableFinished) hurry(socket, outgoing, limits.takeMs)
      }
      rations.share(socket, incoming.method === 'GET', begin).then(end, (error: unknown) => {
        socket.destroy()
        fail(error)
      })
    },
    credit: (socket, rows) => rations.credit(socket, rows),
  }
}

/**
 * Thousands of requests fit into one read of a socket, and Node makes objects of all of them before anybody else has a
 * turn, also once the socket is destroyed: 40 ms for 64 kB. Its parser goes no further behind what it takes for a request
 * to leave HTTP, which is what 2 says.
 */
function stopReading(socket: Socket): void {
  const { parser } = socket as { readonly parser?: { onIncoming?: () => number } | null }
  if (parser) parser.onIncoming = () => 2
}

/** The server's own timeout begins anew with each byte that is taken. */
function hurry(socket: Socket, outgoing: ServerResponse, takeMs: number): void {
  const timer = setTimeout(() => socket.destroy(), takeMs)
  outgoing.on('close', () => clearTimeout(timer))
}

function isWorkedOn({ unanswered }: Connection): boolean {
  return unanswered.some(({ incoming, outgoing, isBegun }) => isBegun && incoming.complete && !outgoing.writableEnded)
}

function countOf(crowd: ReadonlySet<Connection>, isIn: (each: Connection) => boolean): number {
  let count = 0
  for (const each of crowd) if (isIn(each)) count++
  return count
}

/** Whose a connection is: undefined for this machine itself. Who has one IPv6 address has all of its /64 net. */
export function clientOf(address = ''): string | undefined {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1] ?? address
  if (mapped === '::1' || mapped.startsWith('127.')) return undefined
  if (!isIPv6(mapped)) return mapped
  const [head = '', tail] = mapped.split('::')
  const groups = head === '' ? [] : head.split(':')
  const missing = tail === undefined ? 0 : 8 - groups.length - (tail === '' ? 0 : tail.split(':').length)
  return [...groups, ...Array.from({ length: missing }, () => '0')].slice(0, 4).join(':')
}
