import { callRpc, printHash, RPC_CODES, type Rpc, RpcError, readMempool, readTransaction } from '@kedge/bitcoin'
import { dataCarrier, decodeMessage, fromHex, type Message } from '@kedge/core'

/** A message of the protocol in a transaction that waits for a block. */
export interface WaitingMessage {
  readonly txid: string
  readonly message: Message
  /** Virtual bytes of the transaction. */
  readonly vsize: number
}

export async function readWaitingMessages(rpc: Rpc): Promise<readonly WaitingMessage[]> {
  const found = await Promise.all((await readMempool(rpc)).map((txid) => readMessage(rpc, printHash(txid))))
  return found.flat()
}

async function readMessage(rpc: Rpc, txid: string): Promise<WaitingMessage[]> {
  const raw = await readRaw(rpc, txid)
  if (raw === undefined) return []
  return readTransaction(fromHex(raw.hex)).outputs.flatMap(({ script }) => {
    const payload = dataCarrier(script)
    const message = payload && decodeMessage(payload)
    return message === undefined ? [] : [{ txid, message, vsize: raw.vsize }]
  })
}

/** Undefined when the transaction has been replaced or mined meanwhile. */
async function readRaw(rpc: Rpc, txid: string): Promise<{ hex: string; vsize: number } | undefined> {
  try {
    const answer = await callRpc(rpc, 'getrawtransaction', [txid, 1])
    if (typeof answer !== 'object' || answer === null || !('hex' in answer) || !('vsize' in answer))
      throw new TypeError(`${txid}: no transaction`)
    return { hex: String(answer.hex), vsize: Number(answer.vsize) }
  } catch (error) {
    if (error instanceof RpcError && error.code === RPC_CODES.notFound) return undefined
    throw error
  }
}
