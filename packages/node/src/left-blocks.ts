import { toHex } from '@kedge/core'
import { marks, type Store, type Write } from '@kedge/storage'

/**
 * Blocks that left the best chain while this node looked, which a later reorganisation may bring back: what was promised
 * on one has ended all the same (spec, §10). There are as many as Bitcoin has ever dropped.
 */
export class LeftBlocks {
  /** In hex. */
  private readonly hashes: Set<string>

  private constructor(hashes: Set<string>) {
    this.hashes = hashes
  }

  static async load(store: Store): Promise<LeftBlocks> {
    const hashes = new Set<string>()
    for await (const [mark] of store.range(marks, { from: PREFIX, to: END })) hashes.add(mark.slice(PREFIX.length))
    return new LeftBlocks(hashes)
  }

  has(hash: Uint8Array): boolean {
    return this.hashes.size > 0 && this.hashes.has(toHex(hash))
  }

  /** For the commit that takes them off the chain. */
  writesOf(hashes: readonly Uint8Array[]): Write[] {
    return hashes.map((hash) => marks.put(`${PREFIX}${toHex(hash)}`, new Uint8Array(0)))
  }

  /** Once that is on disk. */
  note(hashes: readonly Uint8Array[]): void {
    for (const hash of hashes) this.hashes.add(toHex(hash))
  }
}

const PREFIX = 'left/'
/** Behind all that begin like that. */
const END = 'left0'
