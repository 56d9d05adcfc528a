import {
  dataCarrierScript,
  INPUT_CAPACITY,
  type L1Output,
  type Params,
  pieceOutput,
  pieceWitness,
  SIGNAL_VALUE,
  signalScript,
  splitPieces,
} from '@kedge/core'
import { readTransaction } from './block.ts'
import { dustLimit } from './coins.ts'
import { type Built, buildFunded, type Funding, feeOf, REPLACEABLE, type Spend } from './transaction.ts'

/** Puts bytes on Bitcoin in two transactions: the commit pays to their pieces' leaves, the reveal shows them. */

/** A part or evidence message with its bytes. */
export interface Publication {
  readonly params: Params
  readonly payload: Uint8Array
  readonly bytes: Uint8Array
}

/**
 * The most bytes of one publication: 190 inputs of 453 vB reveal them and 190 outputs of 43 vB commit to them, within
 * 90,000 vB for the reveal and 100,000 for both.
 */
export const MAX_PUBLICATION = 190 * INPUT_CAPACITY

/**
 * Outputs 0 to n − 1 are the pieces' inputs to come, then change.
 * @param reserveRate sat/vB up to which the reveal may be raised out of what the commit sets aside for it
 * @throws InsufficientFundsError
 */
export function buildCommit(publication: Publication, reserveRate: number, funding: Funding): Built {
  const spends = pieceSpends(publication, new Uint8Array(32), [], funding)
  const { key } = funding
  const messages = messageOutputs(publication.params, publication.payload)
  const reveal = [...messages, { script: key.script, value: dustLimit(key.script) }]
  const needed = reveal.reduce((sum, { value }) => sum + value, feeOf(spends, reveal, reserveRate))
  const count = BigInt(spends.length)
  const share = (needed + count - 1n) / count
  const value = share > dustLimit(key.script) ? share : dustLimit(key.script)
  return buildFunded(
    [],
    spends.map(({ script }) => ({ script, value })),
    funding,
  )
}

/**
 * Spends the commit's outputs, showing the pieces. A higher fee rate replaces it, and takes coins once the commit's
 * outputs no longer pay.
 * @param commit the raw commit of the same publication and key
 * @throws InsufficientFundsError
 */
export function buildReveal(publication: Publication, commit: Uint8Array, funding: Funding): Built {
  const { txid, outputs } = readTransaction(commit)
  const spends = pieceSpends(publication, txid, outputs, funding)
  return buildFunded(spends, messageOutputs(publication.params, publication.payload), funding)
}

function messageOutputs(params: Params, payload: Uint8Array): L1Output[] {
  const signal = signalScript(params)
  return [
    { script: dataCarrierScript(payload), value: 0n },
    { script: signal, value: SIGNAL_VALUE },
  ]
}

function pieceSpends({ bytes }: Publication, txid: Uint8Array, commit: readonly L1Output[], { key }: Funding): Spend[] {
  if (bytes.length === 0 || bytes.length > MAX_PUBLICATION)
    throw new RangeError(`${bytes.length} bytes are no publication`)
  return splitPieces(bytes).map((pieces, vout) => {
    const output = pieceOutput(key.publicKey, pieces)
    return {
      outpoint: { txid, vout },
      value: commit[vout]?.value ?? 0n,
      script: output.script,
      sequence: REPLACEABLE,
      leaf: output.leaf,
      witness: (sign) => pieceWitness(output, pieces, sign(key.secret)),
    }
  })
}
