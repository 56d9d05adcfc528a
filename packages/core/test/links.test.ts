import { describe, expect, test } from 'vitest'
import { headOf } from '../src/chain.ts'
import { deriveBlock } from '../src/derive.ts'
import { ZERO_HASH } from '../src/hash.ts'
import type { L1Output } from '../src/l1.ts'
import { type BatchAnchor, batchAnchor, encodeMessage, resumeAnchor } from '../src/message.ts'
import { dataCarrierScript } from '../src/scripts.ts'
import { coin, linkOutput, linkTransaction, spend, tagOutput, transaction } from './bitcoin.ts'
import { Derivation, Rollup, startedRollup } from './rollup.ts'
import { say } from './trace.ts'
import { bytes32, params } from './world.ts'

const WAITS = 'null, the chain waits for a resume'

describe('genesis', () => {
  test('nothing is live before a resume', () => {
    const rollup = new Rollup()
    expect(rollup.chain).toMatchObject({ mode: 'broken', line: [], final: { number: 0 }, link: { number: 0 } })
    expect(rollup.mine()).toEqual([])
    const early = rollup.build()
    expect(rollup.post(early).map(say)).toEqual([`link 1: ${WAITS}`])
    expect(rollup.mine(rollup.resume()).map(say)).toEqual(['link 2: resume'])
    expect(rollup.chain.mode).toBe('active')
  })

  test('the first batch has no parent, the next has the first', () => {
    const rollup = startedRollup()
    const first = rollup.build()
    const second = rollup.mine(rollup.anchor(first)) && rollup.build()
    expect(rollup.post(second).map(say)).toEqual(['link 3: batch'])
    expect(rollup.chain.line.map(({ parent }) => parent)).toEqual([ZERO_HASH, first.hash])
    expect(rollup.chain.line.map(({ number, anchorHeight }) => [number, anchorHeight])).toEqual([
      [2, 103],
      [3, 104],
    ])
  })

  test('a block that does not follow is the caller’s fault', () => {
    const { bitcoin, derivation } = startedRollup()
    const { court, chain } = derivation
    expect(() => deriveBlock(court, chain, bitcoin.block(102))).toThrow('block 102 does not follow block 102')
    const stray = { ...bitcoin.mine(), parent: bytes32(1) }
    expect(() => deriveBlock(court, chain, stray)).toThrow('does not follow')
  })
})

describe('links', () => {
  test('two in one block, the second spends the first', () => {
    const rollup = startedRollup()
    const links = [rollup.build(), rollup.build()].map((batch) => rollup.anchor(batch))
    expect(rollup.mine(...links).map(say)).toEqual(['link 2: batch', 'link 3: batch'])
    expect(rollup.chain.link.outpoint).toEqual({ txid: links[1]?.txid, vout: 1 })
  })

  test('a resume and a batch in one block', () => {
    const rollup = new Rollup()
    rollup.mine()
    const resume = rollup.resume()
    expect(rollup.mine(resume, rollup.anchor(rollup.build())).map(say)).toEqual(['link 1: resume', 'link 2: batch'])
  })

  test('a spend of another output is none', () => {
    const rollup = startedRollup()
    const { outpoint } = rollup.chain.link
    const anchor = someBatch()
    const other = { ...outpoint, vout: 2 }
    expect(rollup.mine(linkTransaction(other, anchor), linkTransaction(params.genesis, anchor))).toEqual([])
    expect(rollup.chain.link.number).toBe(1)
  })

  test('a resume is null when its parent is wrong: the chain waits for another', () => {
    const rollup = startedRollup()
    const resume = resumeAnchor(ZERO_HASH, bytes32(7))
    const tries: [Partial<typeof resume>, string][] = [
      [{ headerHash: bytes32(1) }, 'link 2: null, the resume names another header than the head'],
      [{}, 'link 3: resume'],
    ]
    for (const [change, said] of tries) {
      const link = linkTransaction(rollup.chain.link.outpoint, { ...resume, ...change })
      expect(rollup.mine(link).map(say)).toEqual([said])
      expect(rollup.chain.mode).toBe(said.endsWith('resume') ? 'active' : 'broken')
    }
    expect(rollup.chain.link.nonceRoot).toEqual(bytes32(7))
  })

  test('a resume is good at any time, and keeps what is live', () => {
    const rollup = startedRollup()
    const batch = rollup.build()
    rollup.post(batch)
    expect(rollup.mine(rollup.resume()).map(say)).toEqual(['link 3: resume'])
    expect(headOf(rollup.chain).headerHash).toBe(rollup.chain.line[0]?.headerHash)
    expect(rollup.post(rollup.build()).map(say)).toEqual(['link 4: batch'])
    expect(rollup.chain.line[1]?.parent).toEqual(batch.hash)
  })

  test('a second anchor of a header that is not final is null', () => {
    const rollup = startedRollup()
    const batch = rollup.build()
    const again = 'link 3: null, a batch that is not final has this header'
    expect(rollup.mine(rollup.anchor(batch), rollup.anchor(batch)).map(say)).toEqual(['link 2: batch', again])
    expect(rollup.chain).toMatchObject({ mode: 'broken', link: { number: 3 } })
    expect(rollup.chain.line.length).toBe(1)
  })
})

describe('a malformed spend closes the chain', () => {
  const anchor = someBatch()
  const tag = tagOutput(anchor)
  const carrier = (payload: Uint8Array): L1Output => ({ value: 0n, script: dataCarrierScript(payload) })
  const deposit = tagOutput({ kind: 'deposit', key: bytes32(1), refundKey: bytes32(2) })

  test.each<[string, L1Output[]]>([
    ['no outputs', []],
    ['no payload', [linkOutput(), linkOutput()]],
    ['the payload at vout 1', [linkOutput(), tag]],
    ['no next link', [tag]],
    ['another script for the next link', [tag, tag]],
    ['a message that is no link', [deposit, linkOutput()]],
    ['an unknown kind', [carrier(Uint8Array.of(...encodeMessage(anchor)).with(4, 3)), linkOutput()]],
    ['a payload cut short', [carrier(encodeMessage(anchor).slice(0, -1)), linkOutput()]],
    [
      'a payload that goes on',
      [{ value: 0n, script: Uint8Array.of(0x6a, 0x4c, 77, ...encodeMessage(anchor), 0) }, linkOutput()],
    ],
    ['an empty script', [{ value: 0n, script: new Uint8Array(0) }, linkOutput()]],
  ])('%s', (_, outputs) => {
    const rollup = startedRollup()
    const link = transaction([spend(rollup.chain.link.outpoint), coin()], outputs)
    const said = 'link 2: close, the spend of the anchor link is malformed'
    expect(rollup.mine(link).map(say)).toEqual([said, 'exit'])
    expect(rollup.chain).toMatchObject({ mode: 'closed', link: { number: 2 } })
    const next = linkTransaction({ txid: link.txid, vout: 1 }, anchor)
    expect(rollup.mine(next)).toEqual([])
  })

  test('the link as another input than the first', () => {
    const rollup = startedRollup()
    const link = transaction([coin(), spend(rollup.chain.link.outpoint)], [tag, linkOutput()])
    expect(rollup.mine(link).map(say)).toEqual(['link 2: close, the spend of the anchor link is malformed', 'exit'])
  })

  test('what is live runs on to its end', () => {
    const rollup = startedRollup()
    rollup.post(rollup.build())
    rollup.mine(transaction([spend(rollup.chain.link.outpoint)], []))
    rollup.mineUpTo(108)
    expect(rollup.mine().map(say)).toEqual(['final 2', 'exit'])
    expect(rollup.chain).toMatchObject({ mode: 'closed', final: { number: 2 } })
  })

  test('further outputs and a second payload do not matter to a link', () => {
    const rollup = startedRollup()
    const { header, hash } = rollup.build()
    const outputs = [tagOutput(batchAnchor(header, hash)), linkOutput(), deposit, tag]
    const link = transaction([spend(rollup.chain.link.outpoint), coin()], outputs)
    expect(rollup.mine(link).map(say)).toEqual(['link 2: batch'])
  })
})

test('each node derives the same chain, however late it begins', () => {
  const rollup = startedRollup()
  rollup.post(rollup.build())
  rollup.mine(rollup.resume(), rollup.anchor(rollup.build()))
  rollup.mineUpTo(120)
  const late = new Derivation()
  for (const block of rollup.bitcoin.blocks) late.follow(block)
  expect(late.chain).toEqual(rollup.chain)
  expect(late.events).toEqual(rollup.derivation.events)
})

/** A batch of no header in particular. */
function someBatch(): BatchAnchor {
  return batchAnchor({ parent: bytes32(4), origin: { height: 101, hash: bytes32(1) }, post: bytes32(3) }, bytes32(2))
}
