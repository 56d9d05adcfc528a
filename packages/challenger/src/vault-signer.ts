import { publicKeyOf, signHash, vaultToSign } from '@kedge/bitcoin'
import { equalBytes, judgeAsked, type Vault, type VaultProposal } from '@kedge/core'
import type { NodeParts } from '@kedge/node'
import { type Store, type VaultHeadRecord, vaultHeads, type Write } from '@kedge/storage'
import { decodeAsking, encodeAnswer, type VaultAnswer } from './vault-message.ts'
import { viewVault } from './vault-view.ts'

export interface SignerParts {
  readonly node: Pick<NodeParts, 'options' | 'network' | 'store' | 'follower' | 'executor'>
  /** One of the network's watchers'. */
  readonly secret: Uint8Array
  /** Satoshis for 1,000 virtual bytes that it signs at most. */
  readonly cap: bigint
}

/** Heads that are remembered behind the present one. */
const KEPT_HEADS = 144

/**
 * Signs spends of the vault with this watcher's key: those that it would propose itself, and nothing else. What it has
 * signed binds it to nothing, so it need not remember it: of one head Bitcoin takes one spend, whichever that is, and what
 * the next head owes is judged by what that one paid.
 */
export class VaultSigner {
  /** Among the network's watchers. */
  readonly place: number
  private readonly parts: SignerParts
  private turn: Promise<unknown> = Promise.resolve()

  constructor(parts: SignerParts) {
    this.parts = parts
    const key = publicKeyOf(parts.secret)
    this.place = parts.node.options.params.keys.watchers.findIndex((watcher) => equalBytes(watcher, key))
    if (this.place < 0) throw new RangeError("the secret is none of the watchers'")
  }

  /** Answers another watcher's request. */
  answer(request: Uint8Array): Uint8Array {
    const { node } = this.parts
    const asking = decodeAsking(node.network, node.options.params, request)
    if (asking === undefined) return encodeAnswer({ kind: 'refused', reason: 'stranger' })
    const answer = this.sign(asking.proposal)
    const { kind, fee } = asking.proposal
    const told = { spend: kind, fee, by: asking.place, ...(answer.kind === 'refused' && { refusal: answer.reason }) }
    node.options.log.info(
      told,
      answer.kind === 'signed' ? 'signed a spend of the vault' : 'refused a spend of the vault',
    )
    return encodeAnswer(answer)
  }

  sign(proposal: VaultProposal): VaultAnswer {
    const seen = viewVault(this.parts.node)
    if (!seen.ok) return { kind: 'refused', reason: seen.reason }
    const verdict = judgeAsked(seen.view, proposal, this.parts.cap)
    if (!verdict.ok) return { kind: 'refused', reason: verdict.refusal }
    const signatures = vaultToSign(verdict.plan).hashes.map((hash) => signHash(hash, this.parts.secret))
    return { kind: 'signed', place: this.place, signatures }
  }

  /** Keeps a spend of the head that has all its signatures: whoever has it can send it again. */
  keep(vault: Vault, raw: Uint8Array): Promise<void> {
    return this.inTurn(async () => {
      const { store } = this.parts.node
      const record = await readHead(store, vault)
      if (record?.raw !== undefined && equalBytes(record.raw, raw)) return
      await store.commit([...(await this.forgotten(vault)), vaultHeads.put(headKey(vault), { raw })])
    })
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    // Whoever asked before hears of what went wrong then.
    const done = this.turn.then(work, work)
    this.turn = done
    return done
  }

  /** A head is spent once a block at most, so these lie deeper than any reorganisation. */
  private async forgotten({ number, head }: Vault): Promise<Write[]> {
    if (number < KEPT_HEADS) return []
    const writes: Write[] = []
    const to = headKey({ number: number - KEPT_HEADS, head })
    for await (const [key] of this.parts.node.store.range(vaultHeads, { to })) writes.push(vaultHeads.del(key))
    return writes
  }
}

/** What there is on disk of the vault's head. */
export function readHead(store: Store, vault: Vault): Promise<VaultHeadRecord | undefined> {
  return store.get(vaultHeads, headKey(vault))
}

/** By the vault's number first, so that old ones can be forgotten together. */
function headKey({ number, head }: Pick<Vault, 'number' | 'head'>): Uint8Array {
  const key = new Uint8Array(40)
  const view = new DataView(key.buffer)
  view.setUint32(0, number)
  key.set(head.txid, 4)
  view.setUint32(36, head.vout)
  return key
}
