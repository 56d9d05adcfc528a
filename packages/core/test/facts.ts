import type { Deposit, SweptDeposit } from '../src/deposit.ts'
import { type BlockFacts, L1Facts } from '../src/facts.ts'
import type { Position } from '../src/l1.ts'
import { bytes32, params } from './world.ts'

/** What a block says: nothing, where nothing is said here. */
export function factsOfBlock(some: Partial<BlockFacts> = {}): BlockFacts {
  return { deposits: [], swept: [], refunded: [], forced: [], final: [], ...some }
}

/** Best chain: blocks from the scan height on, each with what of `swept` falls into it. */
export function factsOf(
  hashes: readonly Uint8Array[],
  some: Pick<BlockFacts, 'swept'> & Partial<Pick<BlockFacts, 'forced'>>,
): L1Facts {
  const facts = new L1Facts(params.scanHeight)
  for (const [at, hash] of hashes.entries()) {
    const height = params.scanHeight + at
    const within = ({ position }: { readonly position: Position }) => position.height === height
    facts.append(
      height,
      hash,
      factsOfBlock({ swept: some.swept.filter(within), forced: (some.forced ?? []).filter(within) }),
    )
  }
  return facts
}

/** A deposit for `key`, swept at a position. */
export function sweptAt(position: Position, key: Uint8Array, value: bigint): SweptDeposit {
  const deposit: Deposit = {
    position: { ...position, index: 0 },
    txid: bytes32(position.height),
    key,
    refundKey: key,
    value,
  }
  return { position, deposit }
}
