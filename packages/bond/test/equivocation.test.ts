import { publicKeyOf } from '@kedge/bitcoin'
import {
  buildHeader,
  type Header,
  networkId,
  type Params,
  regtestRules,
  type SignedTick,
  type Tick,
  ZERO_HASH,
} from '@kedge/core'
import { describe, expect, test } from 'vitest'
import { findSlotSecret, parentSigned, tickSigned } from '../src/equivocation.ts'
import { xOnlyKey } from '../src/key.ts'
import { signHeader, signTick } from '../src/slot-statements.ts'
import { slotTable, tableRoot, tickPoints } from '../src/slot-table.ts'
import { of } from './ground.ts'

const KEY = xOnlyKey(of(2))

const params: Params = {
  ...regtestRules,
  caps: { ...regtestRules.caps, ticks: 4 },
  genesis: { txid: of(1), vout: 0 },
  vault: { txid: of(1), vout: 1, value: 10_000n },
  scanHeight: 101,
  keys: { anchor: of(1), slot: publicKeyOf(of(2)), fees: of(3), watchers: [of(4)], threshold: 1 },
}
const network = networkId(params)
const tableOf = (number: number) => {
  const id = { network, number, salt: of(6) }
  return slotTable(KEY, id, tickPoints(KEY, id, 0, params.caps.ticks))
}

const TICK: Tick = {
  number: 7,
  index: 2,
  origin: { height: 110, hash: of(8) },
  parent: of(9),
  count: 3,
  opsRoot: of(10),
}
const signed = (change: Partial<Tick> = {}): SignedTick =>
  signTick(KEY, tableOf(change.number ?? TICK.number), { ...TICK, ...change })
const secretOf = (...ticks: readonly SignedTick[]) => findSlotSecret(params, { ticks, headers: [] })

describe('an outsider gets the slot key', () => {
  test.each<[string, Partial<Tick>]>([
    ['other operations', { opsRoot: of(11) }],
    ['more of them', { count: 4 }],
    ['another origin', { origin: { height: 111, hash: of(8) } }],
    ['another parent', { parent: of(12) }],
  ])('by two receipts of one slot: %s', (_, change) => {
    expect(secretOf(signed(), signed({ index: 1 }), signed(change))).toEqual(KEY.secret)
  })

  test('by two headers of one number, each signed in a child', () => {
    const [one, other] = [childOf(of(20)), childOf(of(21))]
    expect(parentSigned(one)?.signature.slice(0, 32)).toEqual(parentSigned(other)?.signature.slice(0, 32))
    expect(findSlotSecret(params, { ticks: [], headers: [one, other] })).toEqual(KEY.secret)
  })
})

describe('nothing is given away', () => {
  test('by all slots of two batches, each signed once, however often they are shown', () => {
    const all = [7, 8].flatMap((number) => [0, 1, 2, 3].map((index) => signed({ number, index })))
    const headers = [childOf(of(20)), childOf(of(20))]
    expect(findSlotSecret(params, { ticks: [...all, ...all], headers })).toBeUndefined()
  })

  test('by what another signed with the same nonce, or nobody', () => {
    const forged = { ...signed({ count: 4 }), signature: signed().signature }
    expect(secretOf(signed(), forged)).toBeUndefined()
    expect(secretOf(signed(), { ...signed({ count: 4 }), slotPath: [] })).toBeUndefined()
  })
})

test('a tick is signed in its batch’s table, a header behind a resume in none', () => {
  expect(tickSigned(params, network, signed())?.message).not.toEqual(
    tickSigned(params, network, signed({ number: 8 }))?.message,
  )
  expect(() => signTick(KEY, tableOf(8), TICK)).toThrow(RangeError)
  expect(parentSigned({ ...childOf(of(20)), prevSig: new Uint8Array(96) })).toBeUndefined()
})

/** The header behind batch 7, whose header has this hash. */
function childOf(parent: Uint8Array): Header {
  const place = { network, number: 8, parent, origin: { height: 110, hash: of(8) } }
  const content = { pre: of(1), post: of(1), opsRoot: ZERO_HASH, stepsRoot: ZERO_HASH, operations: [] }
  const slots = { nonceRoot: tableRoot(tableOf(9)), prevSig: signHeader(KEY, tableOf(7), parent) }
  return buildHeader(place, content, slots).header
}
