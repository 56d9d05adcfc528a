import { MAX_TICK } from './limits.ts'

const PREFIX = 2

export function frameOf(tick: Uint8Array): Uint8Array {
  if (tick.length === 0 || tick.length > MAX_TICK) throw new RangeError(`a tick of ${tick.length} bytes`)
  const frame = new Uint8Array(PREFIX + tick.length)
  new DataView(frame.buffer).setUint16(0, tick.length, true)
  frame.set(tick, PREFIX)
  return frame
}

/** Ticks out of a stream's pieces, however it is cut. Holds one frame at most. */
export class TickFrames {
  private readonly take: (tick: Uint8Array) => boolean
  private readonly frame = new Uint8Array(PREFIX + MAX_TICK)
  private readonly view = new DataView(this.frame.buffer)
  private filled = 0

  constructor(take: (tick: Uint8Array) => boolean) {
    this.take = take
  }

  /** False, for good, from the first frame on that is none or is not taken. */
  read(piece: Uint8Array): boolean {
    for (let at = 0; at < piece.length; ) {
      const taken = piece.subarray(at, at + this.wanted() - this.filled)
      this.frame.set(taken, this.filled)
      this.filled += taken.length
      at += taken.length
      if (this.filled < PREFIX) return true
      const wanted = this.wanted()
      if (wanted === PREFIX || wanted > this.frame.length) return false
      if (this.filled < wanted) continue
      this.filled = 0
      if (!this.take(this.frame.slice(PREFIX, wanted))) return false
    }
    return true
  }

  private wanted(): number {
    return this.filled < PREFIX ? PREFIX : PREFIX + this.view.getUint16(0, true)
  }
}
