import { schnorr } from '@noble/curves/secp256k1.js'
import { describe, expect, test } from 'vitest'
import { cosignersOf, stakeOf } from '../src/bond.ts'
import { fromHex, toHex } from '../src/bytes.ts'
import { jointKey } from '../src/joint-key.ts'
import type { L1Output, L1Transaction } from '../src/l1.ts'
import { findParamsFault, networkId, type Params } from '../src/params.ts'
import { paramsFromJson, paramsToJson } from '../src/params-json.ts'
import { taprootKey } from '../src/scripts.ts'
import { changeOutput, coin, transaction } from './bitcoin.ts'
import { bondSecret, burnt, funded, funding, inputOf, leafOf, params, tagFor, World } from './bonded.ts'
import { bytes32, keyOf, secretOf } from './world.ts'

test('a bond’s key is that of the secrets of all co-signers together', () => {
  const { keys } = stakeOf(params, { bond: funded(0), detectors: [] })
  const key = taprootKey(jointKey(cosignersOf(keys))).key
  expect(toHex(schnorr.getPublicKey(bondSecret()))).toBe(toHex(key))
})

/** A world whose chain runs behind a bond. */
function bonded(): { world: World; bond: L1Transaction } {
  const world = new World()
  world.mine()
  const bond = funding()
  expect(world.mine(world.resume(), bond)).toEqual(['bond funded', 'link 1: resume'].toReversed())
  expect(world.mine(tagFor(bond))).toEqual(['bond counts'])
  return { world, bond }
}

describe('a network that asks for a bond', () => {
  test('takes no batch before one counts, and k blocks have passed', () => {
    const world = new World()
    world.mine(world.resume())
    expect(world.mine(world.batch())).toEqual(['link 2: null, no bond covers it'])
    world.mine(world.resume())
    const bond = funding()
    expect(world.mine(bond, world.batch())).toEqual(['bond funded', 'link 4: null, no bond covers it'])
    world.mine(world.resume())
    expect(world.mine(tagFor(bond), world.batch())).toEqual(['bond counts', 'link 6: null, no bond covers it'])
    world.mine(world.resume())
    expect(world.mine(world.batch())).toEqual(['link 8: batch'])
  })

  test('takes batches up to an epoch behind the funding, and then those of the next bond', () => {
    const { world } = bonded()
    for (let at = 2; at <= 20; at++) expect(world.mine(world.batch())).toContain(`link ${at}: batch`)
    expect(world.mine(world.batch())).toContain('link 21: null, no bond covers it')
    const next = funding()
    world.mine(next, tagFor(next), world.resume())
    expect(world.mine(world.batch())).toContain('link 23: batch')
  })

  test.each([
    ['slashed', [[0], [1, 'equivocation']], () => [burnt(800_000n), changeOutput()]],
    ['slashed', [[0], [1, 'fraud']], () => [burnt(800_000n), changeOutput()]],
    ['returned', [[0], [1, 'return']], () => [changeOutput()]],
    ['released', [[0], [1, 'equivocation']], () => [burnt(799_999n)]],
    ['released', [[0]], () => [changeOutput()]],
    ['frozen', [[1, 'equivocation']], () => [changeOutput()]],
  ] as const)('takes none once it is %s', (outcome, spent, outputs) => {
    const { world, bond } = bonded()
    world.mine(world.batch())
    const inputs = spent.map(([vout, leaf]) => inputOf(bond.txid, vout, leaf && leafOf(leaf)))
    const end = transaction(inputs, outputs())
    expect(world.mine(end, world.batch())).toEqual([`bond ${outcome}`, 'link 3: null, no bond covers it'])
    expect(world.chain.bonds[0]).toMatchObject({ end: { outcome, txid: end.txid } })
    // A bond ends once.
    expect(world.mine(transaction([inputOf(bond.txid, 0)], [changeOutput()]))).toEqual([])
  })

  test('goes on behind another bond', () => {
    const { world, bond } = bonded()
    const next = funding()
    world.mine(next, tagFor(next))
    world.mine(transaction([inputOf(bond.txid, 0), inputOf(bond.txid, 1, leafOf('return'))], [changeOutput()]))
    expect(world.mine(world.batch())).toEqual(['link 2: batch'])
  })

  test('counts no bond that is too small, has other outputs, or that its co-signers did not sign the slash of', () => {
    const world = new World()
    world.mine(world.resume())
    const good = funding()
    const swapped = transaction(
      [coin()],
      good.outputs.toSpliced(0, 2, good.outputs[1] as L1Output, good.outputs[0] as L1Output),
    )
    expect(world.mine(funding(999_999n), swapped, transaction([coin()], good.outputs.slice(0, 1)))).toEqual([])
    expect(world.chain.bonds).toEqual([])
    const ignored = 'ignored bond: it does not pay the signal script, or signs for no bond that waits for it'
    expect(world.mine(tagFor(good))).toEqual([ignored])
    world.mine(good)
    const silent = tagFor(good)
    expect(world.mine(tagFor(good, secretOf(4)), transaction(silent.inputs, silent.outputs.slice(0, 1)))).toEqual([
      ignored,
      ignored,
    ])
    expect(world.mine(tagFor(good), tagFor(good))).toEqual(['bond counts', ignored])
  })
})

test('one that asks for none has neither', () => {
  const { bond, ...plain } = params
  expect(paramsFromJson(paramsToJson(params))).toEqual(params)
  expect(paramsFromJson(JSON.parse(JSON.stringify(paramsToJson(plain))))).toEqual(plain)
  expect(networkId(plain)).not.toEqual(networkId(params))
  const { forfeit } = bond as NonNullable<Params['bond']>
  const faults: readonly [string, Partial<NonNullable<Params['bond']>>][] = [
    ['the keys of slot, bond and watchers must be on the curve', { sequencer: bytes32(3) }],
    ['the keys of anchor, slot, bond and watchers must differ', { return: keyOf(4) }],
    ['bond.epoch must exceed originDepth', { epoch: 1 }],
    ['bond.returnDelay must exceed epoch + staleness + 2 × (challenge + answer) + proof', { returnDelay: 53 }],
    ['bond.returnDelay must be at most 65535', { returnDelay: 65_536 }],
    ['bond.minimum must be at least 100000 sat', { minimum: 99_999n }],
    ['bond.forfeit.percent must be between 1 and 95', { forfeit: { ...forfeit, percent: 96 } }],
    ['bond.forfeit.script must be relayed', { forfeit: { ...forfeit, script: fromHex('51'.repeat(35)) } }],
  ]
  for (const [fault, change] of faults)
    expect(findParamsFault({ ...plain, bond: { ...(bond as NonNullable<Params['bond']>), ...change } })).toBe(fault)
})
