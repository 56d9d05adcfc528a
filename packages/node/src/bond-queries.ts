import { answer, type BondView } from '@kedge/api'
import { printHash } from '@kedge/bitcoin'
import { type Bond, isCovered, type Params, toHex } from '@kedge/core'
import type { QueryContext } from './query-context.ts'
import type { Responders } from './serve.ts'

export function bondQueries({ node }: QueryContext): Pick<Responders, 'bonds'> {
  return {
    bonds: () => {
      const { params } = node.options
      const { bonds, height } = node.follower.chain
      const views = bonds.map((bond) => viewOf(params, bond)).reverse()
      const covered = isCovered(params, bonds, height + 1)
      return answer({ asked: params.bond !== undefined, height, covered, left: leftOf(views, height), bonds: views })
    },
  }
}

function leftOf(views: readonly BondView[], height: number): number {
  const ends = views.map(({ covers }) => (covers !== undefined && covers.from <= height + 1 ? covers.to - height : 0))
  return Math.max(0, ...ends)
}

function viewOf({ bond: asked, windows }: Params, { bond, detectors, fundedAt, slash, end }: Bond): BondView {
  if (asked === undefined) throw new Error('a bond on a network that asks for none')
  const lives = slash !== undefined && end === undefined
  return {
    txid: printHash(bond.outpoint.txid),
    sats: bond.value,
    detectorSats: detectors[0]?.value ?? 0n,
    fundedAt,
    ...(slash && { slash: { signature: toHex(slash.signature), height: slash.height } }),
    ...(lives && { covers: { from: slash.height + windows.originDepth, to: fundedAt + asked.epoch } }),
    returnableAt: fundedAt + asked.returnDelay,
    ...(end && { end: { outcome: end.outcome, height: end.height, txid: printHash(end.txid) } }),
  }
}
