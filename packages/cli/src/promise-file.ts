import { ApiError, type Client, createClient } from '@kedge/api'
import {
  type BrokenPromise,
  decodeDocument,
  decodeReceipt,
  documentFromJson,
  equalBytes,
  fromHex,
  networkId,
  operationId,
  type Params,
  showPromise,
  toHex,
} from '@kedge/core'
import { ConfigError } from './config-error.ts'
import { parseJson, readDocumentFile } from './document-file.ts'

/** Of its two forms, JSON is the one that begins with a brace. */
const BRACE = 0x7b

/**
 * A promise that was not kept: out of a file that shows so, or out of a receipt, to which a node gives what was anchored:
 * the headers, and what stands in the promised place. Whether it was broken is for the watchers to judge.
 * @throws ConfigError for a file that is neither
 */
export async function readPromise(params: Params, node: string, file: string): Promise<BrokenPromise> {
  const bytes = readDocumentFile(file)
  const read = bytes[0] === BRACE ? documentFromJson(parseJson(bytes)) : decodeDocument(bytes)
  if (!read.ok) throw new ConfigError(`${file}: ${read.reason}`)
  const { document } = read
  if (!equalBytes(document.network, networkId(params))) throw new ConfigError(`${file}: it is of another network`)
  if (document.kind === 'broken-promise') return document
  const promised = document.kind === 'receipt' ? decodeReceipt(document.receipt) : undefined
  if (document.kind !== 'receipt' || promised === undefined) throw new ConfigError(`${file}: it is no receipt`)
  const { operation, receipt } = document
  const [client, { number }] = [createClient(node), promised.tick]
  const shown = showPromise(operation, receipt, await readKnown(client, number))
  const there = await orNone(client.operation({ number, index: promised.opIndex }))
  if (there === undefined || there.id === toHex(operationId(operation))) return shown
  return { ...shown, instead: { id: fromHex(there.id), path: there.path.map(fromHex) } }
}

/** The headers of the batch with this number and of its parent; undefined where the number is no batch's. */
async function readKnown(client: Client, number: number) {
  const link = await orNone(client.batch({ number }))
  const header = link?.outcome === 'batch' ? link.header : undefined
  if (header === undefined) return undefined
  const parent = await orNone(client.header({ hash: header.parent }))
  return { header: fromHex(header.bytes), ids: [], parent: fromHex(parent?.bytes ?? '') }
}

async function orNone<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof ApiError && error.code === 'not-found') return undefined
    throw error
  }
}
