import type { SignedMessage } from '@kedge/bond'
import { fromHex, isHex, networkId, type Params, tickMessage } from '@kedge/core'
import { checkReceipt, WalletError } from '@kedge/wallet'
import { z } from 'zod'
import { ConfigError } from './config-error.ts'
import { parseJson, readDocumentFile } from './document-file.ts'

/** A message of the slot key by itself: what it signed, 32 bytes, and the signature. */
const bare = z.strictObject({
  message: z.string().refine((text) => isHex(text, 32), 'message must be 32 bytes of lower-case hex'),
  signature: z.string().refine((text) => isHex(text, 64), 'signature must be 64 bytes of lower-case hex'),
})

/**
 * What the slot key signed, out of a receipt as a wallet keeps it, or of JSON with `message` and `signature`.
 * @throws ConfigError for a file that is neither
 */
export function readSlotSignature(params: Params, file: string): SignedMessage {
  const bytes = readDocumentFile(file)
  const plain = bare.safeParse(parseJson(bytes))
  if (plain.success) return { message: fromHex(plain.data.message), signature: fromHex(plain.data.signature) }
  try {
    const { receipt, nonceRoot } = checkReceipt(params, bytes)
    return { message: tickMessage(networkId(params), receipt.tick, nonceRoot), signature: receipt.signature }
  } catch (cause) {
    if (!(cause instanceof WalletError)) throw cause
    throw new ConfigError(`${file}: no message of the slot key: ${cause.message}`, { cause })
  }
}
