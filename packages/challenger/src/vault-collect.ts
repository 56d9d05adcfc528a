import { isSignatureOf, vaultToSign } from '@kedge/bitcoin'
import type { VaultPlan, VaultProposal } from '@kedge/core'
import type { NodeParts } from '@kedge/node'
import { decodeAnswer, encodeAsking, type VaultAnswer } from './vault-message.ts'
import type { VaultSigner } from './vault-signer.ts'

export interface CollectParts {
  readonly node: Pick<NodeParts, 'options' | 'network' | 'host'>
  readonly signer: Pick<VaultSigner, 'sign' | 'place'>
  readonly secret: Uint8Array
}

export interface Collected {
  /** By the watchers' places. */
  readonly signatures: ReadonlyMap<number, readonly Uint8Array[]>
  /** Why others did not sign. */
  readonly refused: readonly string[]
}

/** For all watchers together: those that are alive answer at once, and t of them are enough. */
const COLLECT_MS = 3000

/** Signs a proposal of this watcher's own, and asks the others to. What they send counts when it is their signature. */
export async function collect(
  { node, signer, secret }: CollectParts,
  proposal: VaultProposal,
  plan: VaultPlan,
  stopping: AbortSignal,
): Promise<Collected> {
  const { params } = node.options
  const { hashes } = vaultToSign(plan)
  const signatures = new Map<number, readonly Uint8Array[]>()
  const refused: string[] = []
  /** Whether it is a watcher's for certain: nobody signs a refusal. */
  const take = (answer: VaultAnswer | undefined): boolean => {
    if (answer?.kind === 'refused') {
      refused.push(answer.reason)
      return false
    }
    if (answer === undefined || !areSignatures(params.keys.watchers[answer.place], hashes, answer.signatures))
      return false
    signatures.set(answer.place, answer.signatures)
    return true
  }
  const own = signer.sign(proposal)
  take(own)
  // Others are asked for no more than this watcher signs itself.
  if (own.kind === 'signed' && signatures.size < params.keys.threshold)
    await askAll(
      node.host,
      encodeAsking(node.network, { proposal, place: signer.place }, secret),
      stopping,
      (bytes, enough) => {
        const isSigned = take(decodeAnswer(bytes))
        if (signatures.size >= params.keys.threshold) enough()
        return isSigned
      },
    )
  return { signatures, refused }
}

/** Until `take` says that it has enough, everybody has answered, or time is up. */
async function askAll(
  host: CollectParts['node']['host'],
  request: Uint8Array,
  stopping: AbortSignal,
  take: (answer: Uint8Array, enough: () => void) => boolean,
): Promise<void> {
  const over = new AbortController()
  const end = () => over.abort()
  const timer = setTimeout(end, COLLECT_MS)
  stopping.addEventListener('abort', end)
  try {
    await host.askWatchers(request, { signal: over.signal, take: (answer) => take(answer, end) })
  } catch (error) {
    if (!over.signal.aborted) throw error
  } finally {
    clearTimeout(timer)
    stopping.removeEventListener('abort', end)
  }
}

function areSignatures(
  key: Uint8Array | undefined,
  hashes: readonly Uint8Array[],
  signatures: readonly Uint8Array[],
): boolean {
  if (key === undefined || signatures.length !== hashes.length) return false
  return hashes.every((hash, at) => isSignatureOf(signatures[at] as Uint8Array, hash, key))
}
