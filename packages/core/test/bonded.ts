import { schnorr } from '@noble/curves/secp256k1.js'
import { bondScriptsOf, cosignersOf, DETECTOR_LEAVES, detectorOutput, stakeOf } from '../src/bond.ts'
import { slashSighash } from '../src/bond-spend.ts'
import { concatBytes, toHex } from '../src/bytes.ts'
import { type Chain, genesisChain } from '../src/chain.ts'
import { deriveBlock } from '../src/derive.ts'
import { L1Facts } from '../src/facts.ts'
import { taggedHash, ZERO_HASH } from '../src/hash.ts'
import { jointKey } from '../src/joint-key.ts'
import type { L1Block, L1Output, L1Transaction, Outpoint } from '../src/l1.ts'
import { type Anchor, resumeAnchor } from '../src/message.ts'
import { networkId, type Params, regtestBond } from '../src/params.ts'
import { anchorScript, signalScript } from '../src/scripts.ts'
import { BASE_HASH, changeOutput, coin, spend, tagOutput, transaction } from './bitcoin.ts'
import { say } from './trace.ts'
import { bytes32, keyOf, secretOf, params as unbonded } from './world.ts'

/** A network that asks for a bond, and what happens on it: Bitcoin in memory, and the chain that is derived from it. */

/** One watcher and one key of the sequencer's, so that BIP327's sum can be signed for by whoever knows both. */
export const params: Params = {
  ...unbonded,
  keys: { ...unbonded.keys, watchers: [keyOf(11)], threshold: 1 },
  bond: { ...regtestBond, sequencer: keyOf(4), return: keyOf(5), returnDelay: 60, epoch: 20 },
}

/** The joint secret of B: BIP327's coefficients by hand, from the two secrets. */
export function bondSecret(): Uint8Array {
  const { Fn } = schnorr.Point
  const keys = cosignersOf(stakeOf(params, { bond: funded(0), detectors: [] }).keys)
  const joint = jointKey(keys)
  const [one, two] = keys.map((key) => evenSecretOf(toHex(key) === toHex(keyOf(4)) ? 4 : 11)) as [bigint, bigint]
  const list = taggedHash('KeyAgg list', concatBytes(...keys.map((key) => concatBytes(Uint8Array.of(2), key))))
  const first = concatBytes(Uint8Array.of(2), keys[0] as Uint8Array)
  const a = Fn.create(BigInt(`0x${toHex(taggedHash('KeyAgg coefficient', concatBytes(list, first)))}`))
  const sum = evenOf(Fn.add(Fn.mul(a, one), two))
  const tweak = BigInt(`0x${toHex(taggedHash('TapTweak', joint))}`)
  return Fn.toBytes(Fn.add(sum, tweak))
}

const evenSecretOf = (seed: number): bigint => evenOf(BigInt(`0x${toHex(secretOf(seed))}`))
const evenOf = (secret: bigint): bigint => {
  const { Fn, BASE } = schnorr.Point
  return (BASE.multiply(secret).toAffine().y & 1n) === 0n ? secret : Fn.neg(secret)
}

export const funded = (vout: number, txid = bytes32(1), value = 1_000_000n) => ({ outpoint: { txid, vout }, value })

/** Bitcoin and the chain that is derived from it, on a network that asks for a bond. */
export class World {
  private height = params.scanHeight - 1
  private hash = BASE_HASH
  private readonly facts = new L1Facts(params.scanHeight)
  chain: Chain = genesisChain(params, BASE_HASH)

  /** The last one that was mined. */
  block: L1Block | undefined

  mine(...transactions: readonly L1Transaction[]): string[] {
    this.height += 1
    const coinbase = transaction([{ previous: { txid: ZERO_HASH, vout: this.height }, witness: [] }], [changeOutput()])
    const hash = taggedHash(
      'test/block',
      concatBytes(this.hash, coinbase.txid, ...transactions.map(({ txid }) => txid)),
    )
    const block: L1Block = { height: this.height, hash, parent: this.hash, transactions: [coinbase, ...transactions] }
    const court = { params, network: networkId(params), facts: this.facts, isSigned: () => false }
    const derived = deriveBlock(court, this.chain, block)
    this.facts.append(block.height, hash, derived.facts)
    this.chain = derived.chain
    this.hash = hash
    this.block = block
    return derived.events.map(say)
  }

  link(anchor: Anchor): L1Transaction {
    return transaction(
      [spend(this.chain.link.outpoint), coin()],
      [tagOutput(anchor), { value: 9n, script: anchorScript(params) }],
    )
  }

  /** From the head, with a table that nobody looks at. */
  resume(): L1Transaction {
    return this.link(resumeAnchor(this.head, bytes32(5)))
  }

  /** A batch that is no more than its anchor: with the right mark of an origin one block below. */
  batch(): L1Transaction {
    const number = this.chain.link.number + 1
    const origin = { height: this.height, hash: this.hash }
    const mark = Uint8Array.of(
      origin.height & 0xff,
      origin.height >> 8,
      ...origin.hash.slice(0, 2),
      ...this.head.slice(0, 3),
    )
    return this.link({ kind: 'batch', headerHash: bytes32(number), word: bytes32(7), mark })
  }

  private get head(): Uint8Array {
    return this.chain.line.at(-1)?.headerHash ?? this.chain.final.headerHash
  }
}

const SCRIPTS = bondScriptsOf(params)

export function funding(value = 1_000_000n, detector = 1_000n): L1Transaction {
  const outputs: L1Output[] = [
    { value, script: SCRIPTS.bond },
    { value: detector, script: SCRIPTS.detector },
  ]
  return transaction([coin()], [...outputs, changeOutput()])
}

export function tagFor({ txid, outputs }: L1Transaction, secret = bondSecret()): L1Transaction {
  const [b, d] = outputs as [L1Output, L1Output]
  const stake = stakeOf(params, { bond: funded(0, txid, b.value), detectors: [funded(1, txid, d.value)] })
  const signature = schnorr.sign(slashSighash(stake, 0), secret, bytes32(0))
  return transaction([coin()], [tagOutput({ kind: 'bond', signature }), { value: 330n, script: signalScript(params) }])
}

export const leafOf = (leaf: keyof typeof DETECTOR_LEAVES): Uint8Array[] => {
  const { keys, returnDelay } = stakeOf(params, { bond: funded(0), detectors: [] })
  const output = detectorOutput(keys, returnDelay).leaves[DETECTOR_LEAVES[leaf]]
  return output === undefined ? [] : [bytes32(1), output.leaf, output.control]
}

export const inputOf = (txid: Uint8Array, vout: number, witness: readonly Uint8Array[] = [bytes32(1)]) => ({
  previous: { txid, vout } satisfies Outpoint,
  witness,
})

export const burnt = (value: bigint): L1Output => ({ value, script: params.bond?.forfeit.script ?? bytes32(0) })
