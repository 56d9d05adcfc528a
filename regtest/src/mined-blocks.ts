import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { batchRpc, callRpc, printHash, RPC_CODES, type Rpc, unlessCode } from '@kedge/bitcoin'

/**
 * What was done to a bitcoind's chain, in the order in which it was done, on disk. bitcoind writes its index of blocks
 * now and then, so one that is killed wakes up some blocks behind. Another would have them from its peers; this one has
 * them from here, also when the process that mined them is gone.
 *
 * A line holds `block <number of hex digits> <hex>` or `invalid <hash>`. One that was cut off by the end of its writer
 * is passed over.
 */
export class MinedBlocks {
  private readonly file: string

  constructor(file: string) {
    this.file = file
  }

  async remember(rpc: Rpc, hashes: readonly Uint8Array[]): Promise<void> {
    const calls = hashes.map((hash) => ({ method: 'getblock', params: [printHash(hash), 0] }))
    const blocks = calls.length === 0 ? [] : await batchRpc(rpc, calls)
    for (const block of blocks) this.append(`block ${String(block).length} ${block}`)
  }

  /** Before bitcoind is asked to: a branch that it gave up alone would come back with the blocks that are here. */
  rememberInvalid(hash: Uint8Array): void {
    this.append(`invalid ${printHash(hash)}`)
  }

  /**
   * Does again what was done; what bitcoind has is a duplicate to it. Then it is made to write its chain, and nothing of
   * this is needed any more.
   */
  async restore(rpc: Rpc): Promise<void> {
    if (!existsSync(this.file)) return
    for (const line of readFileSync(this.file, 'utf8').split('\n')) await redo(rpc, line)
    // The call that writes everything to disk before it answers; "none" spares it the work that it is named for.
    await callRpc(rpc, 'gettxoutsetinfo', ['none'])
    writeFileSync(this.file, '')
  }

  /** A line of its own also after one that was cut off. */
  private append(line: string): void {
    appendFileSync(this.file, `\n${line}\n`)
  }
}

async function redo(rpc: Rpc, line: string): Promise<void> {
  const block = /^block (\d+) ([0-9a-f]+)$/.exec(line)
  if (block?.[2] !== undefined && block[2].length === Number(block[1])) await callRpc(rpc, 'submitblock', [block[2]])
  const invalid = /^invalid ([0-9a-f]{64})$/.exec(line)
  // It may never have written that block, and has not been given it yet.
  if (invalid !== null) await unlessCode(RPC_CODES.notFound, callRpc(rpc, 'invalidateblock', [invalid[1]]))
}
