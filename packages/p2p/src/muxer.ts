import type { MessageStream, StreamMuxerFactory } from '@libp2p/interface'
import { yamux } from '@libp2p/yamux'

/**
 * yamux with bounds on what a connection may make this node hold. Version 8 of the package lacks two: it collects a
 * frame of whatever length its header claims (up to 4 GiB) before looking at it, and queues its own frames without
 * limit for a peer that does not read.
 */

/** Also the longest frame a well-behaved peer can send. 512 KiB moves 5 MB/s at a round trip of 100 ms. */
export const MAX_STREAM_WINDOW = 512 * 1024
/** Gossip, identify and ping take one each; two protocols of four requests leave room for what is being refused. */
export const MAX_STREAMS = 32
/**
 * Bytes of frames waiting for a connection: each stream writes at most one more piece of 64 KiB once it is full. As
 * frames of 12 bytes, which weigh most, they take some 30 MB.
 */
const MAX_QUEUED = 2 * 1024 * 1024

export function boundedYamux(): () => StreamMuxerFactory {
  const create = yamux({
    maxInboundStreams: MAX_STREAMS,
    maxEarlyStreams: MAX_STREAMS,
    streamOptions: { maxStreamWindowSize: MAX_STREAM_WINDOW, maxReadBufferLength: MAX_STREAM_WINDOW },
  })
  return () => {
    const factory = create()
    return {
      protocol: factory.protocol,
      createStreamMuxer: (connection) => {
        connection.maxWriteBufferLength = MAX_QUEUED
        refuseLongFrames(connection)
        return factory.createStreamMuxer(connection)
      },
    }
  }
}

/** Must listen before the muxer does, so that it can keep a chunk from it. */
function refuseLongFrames(connection: MessageStream): void {
  const findLongFrame = frameLengths()
  connection.addEventListener('message', (event) => {
    const data = event.data instanceof Uint8Array ? event.data : event.data.subarray()
    const length = findLongFrame(data)
    if (length === undefined) return
    event.stopImmediatePropagation()
    connection.abort(new LongFrameError(length))
  })
}

const HEADER = 12
const TYPE_AT = 1
const LENGTH_AT = 8
const DATA = 0

/** Follows the frames of a connection through its chunks; gives the length of the first that is too long. */
export function frameLengths(): (chunk: Uint8Array) => number | undefined {
  const header = new Uint8Array(HEADER)
  const view = new DataView(header.buffer)
  let filled = 0
  let skip = 0
  return (chunk) => {
    let at = 0
    while (at < chunk.length) {
      const skipped = Math.min(skip, chunk.length - at)
      skip -= skipped
      at += skipped
      const taken = chunk.subarray(at, at + HEADER - filled)
      header.set(taken, filled)
      filled += taken.length
      at += taken.length
      if (filled < HEADER) return undefined
      filled = 0
      const length = view.getUint8(TYPE_AT) === DATA ? view.getUint32(LENGTH_AT, false) : 0
      if (length > MAX_STREAM_WINDOW) return length
      skip = length
    }
    return undefined
  }
}

class LongFrameError extends Error {
  override readonly name = 'LongFrameError'
  constructor(length: number) {
    super(`a frame of ${length} bytes, more than ${MAX_STREAM_WINDOW}`)
  }
}
