import { bondKey, bondScriptsOf, stakeOf } from '../../src/bond.ts'
import { slashSighash } from '../../src/bond-spend.ts'
import type { L1Transaction } from '../../src/l1.ts'
import { networkId } from '../../src/params.ts'
import { paramsToJson } from '../../src/params-json.ts'
import { changeOutput, resetCoins, transaction } from '../bitcoin.ts'
import { burnt, funding, inputOf, leafOf, params, tagFor, World } from '../bonded.ts'
import { type Json, toJson } from './json.ts'
import { blockToJson } from './traces.ts'

/** One bond's life on a network that asks for one, and the next one's. */
export function bondVectors(): Json {
  resetCoins()
  const world = new World()
  const blocks: Json[] = []
  const mine = (told: string, ...transactions: readonly L1Transaction[]) => {
    const events = world.mine(...transactions)
    if (world.block === undefined) throw new Error('nothing was mined')
    blocks.push({ told, ...blockToJson(world.block), events })
  }
  const first = funding()
  mine('a resume, and a batch that no bond covers', world.resume())
  mine('a batch without a bond: null', world.batch())
  mine('a bond, and a resume', first, world.resume())
  mine('what it takes to slash it, twice', tagFor(first), tagFor(first))
  mine('a batch, k blocks later', world.batch())
  const slash = [inputOf(first.txid, 0), inputOf(first.txid, 1, leafOf('equivocation'))]
  mine('it is slashed; a batch behind that: null', transaction(slash, [burnt(800_000n), changeOutput()]), world.batch())
  const second = funding(2_000_000n, 330n)
  mine('another one, larger, and a resume', second, tagFor(second), world.resume())
  mine('a batch', world.batch())
  const home = [inputOf(second.txid, 0), inputOf(second.txid, 1, leafOf('return'))]
  mine('it is returned', transaction(home, [changeOutput()]))
  mine('a batch: null', world.batch())
  const [bond] = world.chain.bonds
  if (bond === undefined) throw new Error('there is no bond')
  const stake = stakeOf(params, bond)
  return {
    about: "a network's bond: its scripts, what its co-signers sign for a slash, and what Bitcoin shows of it",
    params: paramsToJson(params) as Json,
    network: toJson(networkId(params)),
    scripts: toJson({ jointKey: bondKey(stake.keys), ...bondScriptsOf(params) }),
    slash: toJson({
      bond: bond.bond,
      detector: bond.detectors[0],
      forfeit: stake.forfeit,
      sighash: slashSighash(stake, 0),
    }),
    blocks,
    bonds: toJson(world.chain.bonds),
  }
}
