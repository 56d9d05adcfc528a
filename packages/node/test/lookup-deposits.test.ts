import { type Deposit, L1Facts, toHex } from '@kedge/core'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { depositIndex } from '../src/fact-index.ts'

const keyOf = (seed: number) => new Uint8Array(32).fill(seed)
const SCAN_HEIGHT = 101

/** Mines a block with a deposit for each key, or goes back some blocks, or asks. */
const step = fc.oneof(
  fc.array(fc.nat(2), { maxLength: 3 }).map((keys) => ({ kind: 'mine' as const, keys })),
  fc.integer({ min: 1, max: 4 }).map((blocks) => ({ kind: 'back' as const, blocks })),
  fc.constant({ kind: 'ask' as const }),
)

it('deposits by key are those of the best chain, however it changed', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const facts = new L1Facts(SCAN_HEIGHT)
      const index = depositIndex(facts)
      let all: Deposit[] = []
      const compare = () => {
        for (let seed = 0; seed < 3; seed++) {
          const expected = all.filter(({ key }) => key[0] === seed)
          expect(index.of(toHex(keyOf(seed)))).toEqual(expected)
        }
      }
      for (const each of steps) {
        const height = facts.tip + 1
        if (each.kind === 'ask') compare()
        else if (each.kind === 'back') {
          const to = Math.max(SCAN_HEIGHT - 1, facts.tip - each.blocks)
          facts.truncate(to)
          all = all.filter(({ position }) => position.height <= to)
        } else {
          const mined = each.keys.map((seed, tx): Deposit => {
            const position = { height, tx, index: 0 }
            return { position, txid: keyOf(9), key: keyOf(seed), refundKey: keyOf(9), value: BigInt(height) }
          })
          facts.append(height, keyOf(1), { deposits: mined, swept: [], refunded: [], forced: [], final: [] })
          all.push(...mined)
        }
      }
      compare()
    }),
    { numRuns: 1000 },
  )
})
