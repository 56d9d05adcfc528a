import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concatBytes, equalBytes, toHex } from '../src/bytes.ts'
import { hashTwice } from '../src/hash.ts'
import { proveInclusion } from '../src/inclusion.ts'
import { encodeMessage } from '../src/message.ts'
import { decodePaymentProof, encodePaymentProof, openPaymentProof, type PaymentProof } from '../src/payment-proof.ts'
import { dataCarrierScript } from '../src/scripts.ts'
import { transferMessage } from '../src/transfer.ts'
import { type PaymentVerdict, verifyPayment } from '../src/verify-payment.ts'
import { coinbase, rawTransaction } from './blocks.ts'
import { paid, type Setting, type Shown, showPayment } from './payments.ts'
import { bytes32, network, params } from './world.ts'

const verify = ({ shown, tip }: Shown, checkpoint = tip) => verifyPayment(params, shown, checkpoint)

const namesOf = (verdict: PaymentVerdict) =>
  verdict.ok ? verdict.reservations.map(({ name }) => name) : verdict.reason

describe('a payment proof', () => {
  it('says which payment, to whom, how much, in which batch, in which block, how deep', () => {
    const made = showPayment()
    const verdict = verify(made)
    if (!verdict.ok) throw new Error(verdict.reason)
    const { payment, block } = verdict
    expect(payment.transfer).toEqual(paid)
    expect(payment.id).toEqual(transferMessage(network, paid))
    expect(payment).toMatchObject({ index: 2, header: made.header, anchor: { index: 5 }, isSecondLink: false })
    const { transaction } = made.proof.anchor
    expect(payment.anchor.txid).toEqual(hashTwice(transaction))
    expect(block).toMatchObject({ height: made.anchorHeight, depth: 4, isBelowCheckpoint: true })
    expect(made.blocks[made.anchorHeight - (made.blocks[0]?.height ?? 0)]?.hash).toEqual(block.hash)
    expect(block.work).toBe(4n * 2n)
  })

  it('holds for every payment of batches and blocks of any size', () => {
    for (const operations of [1, 2, 3, 4, 5, 8, 9])
      for (const transactions of [2, 3, 4, 7, 8, 9])
        for (const place of new Set([1, transactions >> 1, transactions - 1])) {
          const index = operations - 1
          expect(verify(showPayment({ operations, index, transactions, place })).ok).toBe(true)
        }
  })

  it('says what it can’t exclude, in words and as data, and leaves out what it can', () => {
    const names = (change: Partial<Setting>, at?: number) => {
      const made = showPayment(change)
      return namesOf(verify(made, made.blocks.at(at ?? -1)))
    }
    expect(names({})).toEqual(['reorg', 'chain', 'null', 'void', 'payer'])
    // Blocks behind the one that is known rest on work, which costs nothing on regtest.
    for (const at of [0, 3, 5]) expect(names({}, at)).toEqual(['reorg', 'work', 'chain', 'null', 'void', 'payer'])
    const workOf = (at: number) => {
      const made = showPayment()
      const verdict = verify(made, made.blocks[at])
      return verdict.ok ? verdict.reservations.find(({ name }) => name === 'work')?.sentence : verdict.reason
    }
    expect(workOf(0)).toContain('the last 6, behind the one that is known, may not be Bitcoin’s, and the anchor’s is')
    expect(workOf(3)).toMatch(/the last 3, behind the one that is known, may not be Bitcoin’s\.$/)
    expect(names({ number: 2 })).toEqual(['reorg', 'null', 'void', 'payer'])
    const made = showPayment()
    const verdict = verify(made)
    if (!verdict.ok) throw new Error(verdict.reason)
    const { dispute } = params.windows
    expect(verdict.reservations.map(({ sentence }) => sentence)).toEqual([
      expect.stringContaining('newest 4 blocks'),
      expect.stringContaining('2 watchers together'),
      expect.stringContaining('9 may not be its place'),
      expect.stringContaining(`until block ${made.anchorHeight + dispute}`),
      expect.stringContaining('Whose cell 3 is'),
    ])
  })

  it('excludes a lapse only with the origin’s block', () => {
    const made = showPayment()
    const { blockHeaders } = made.shown
    const shorter = { ...made, shown: { ...made.shown, blockHeaders: blockHeaders.slice(2 * 80) } }
    expect(namesOf(verify(shorter))).toEqual(['reorg', 'chain', 'null', 'lapsed', 'void', 'payer'])
    const wrong = showPayment({ header: { origin: { height: 201, hash: bytes32(9) } } })
    expect(verify(wrong)).toMatchObject({ ok: false, stage: 'lapsed', reason: expect.stringContaining('block 201') })
    expect(verify(made, { ...made.tip, height: made.tip.height + 1 })).toMatchObject({ ok: false, stage: 'lapsed' })
    for (const originAge of [1, 20]) expect(verify(showPayment({ originAge })).ok).toBe(true)
    expect(verify(showPayment({ originAge: 21 }))).toMatchObject({ ok: false, stage: 'lapsed' })
    const young = showPayment({ header: { origin: { height: 203, hash: bytes32(9) } } })
    expect(verify(young)).toMatchObject({ ok: false, stage: 'lapsed' })
  })

  it('of the second link is one of the chain, and then can have no other number', () => {
    const fake = showPayment({ number: 2, header: { number: 3 } })
    expect(verify(fake)).toMatchObject({ ok: false, stage: 'link', reason: 'the second link can’t be number 3' })
  })

  it('needs a block that is known', () => {
    const made = showPayment()
    expect(verify(made, { height: 5, hash: bytes32(1) })).toMatchObject({ ok: false, stage: 'headers' })
    const other = { ...made, shown: { ...made.shown, blockHeaders: showPayment({ behind: 5 }).shown.blockHeaders } }
    expect(verify({ ...other, tip: showPayment({ behind: 5 }).tip }).ok).toBe(true)
    const elsewhere = showPayment({ index: 1 })
    expect(verify({ ...elsewhere, shown: { ...elsewhere.shown, proof: made.shown.proof } })).toMatchObject({
      ok: false,
      stage: 'block',
    })
  })
})

const other = showPayment({ index: 3 })

/** Anchors that anybody could have mined, and proofs of other things. */
function forge(name: string, made: Shown): [string, PaymentProof] {
  const { proof } = made
  const txid = (raw: Uint8Array) => hashTwice(raw)
  const reanchored = (transaction: Uint8Array, previous = proof.previous): PaymentProof => {
    const txids = [txid(proof.anchor.coinbase), txid(transaction)]
    const { helpers } = proveInclusion(txids, 1)
    return { ...proof, previous, anchor: { ...proof.anchor, transaction, index: 1, helpers } }
  }
  const { outputs } = partsOf(proof.anchor.transaction)
  const spend = { txid: txid(proof.previous), vout: 1 }
  switch (name) {
    case 'link: an anchor that spends a stranger’s coin': {
      const coin = rawTransaction(
        [{ txid: bytes32(3), vout: 0 }],
        [0, 1].map(() => ({ value: 1n, script: bytes32(1) })),
      )
      return [name, reanchored(rawTransaction([{ txid: txid(coin), vout: 1 }], outputs), coin)]
    }
    case 'link: an anchor that spends another output of the link before':
      return [name, reanchored(rawTransaction([{ ...spend, vout: 0 }], outputs))]
    case 'link: an anchor that spends the link before by its second input':
      return [name, reanchored(rawTransaction([{ txid: bytes32(3), vout: 0 }, spend], outputs))]
    case 'link: another link before':
      return [name, { ...proof, previous: other.proof.anchor.transaction }]
    case 'anchor: no next link':
      return [name, reanchored(rawTransaction([spend], outputs.slice(0, 1)))]
    case 'anchor: a resume of the same header': {
      const resume = { kind: 'resume', headerHash: bytes32(1), word: bytes32(0) } as const
      const tag = { value: 0n, script: dataCarrierScript(encodeMessage(resume)) }
      return [name, reanchored(rawTransaction([spend], [tag, ...outputs.slice(1)]))]
    }
    case 'anchor: another batch’s':
      return [name, { ...proof, anchor: other.proof.anchor, previous: other.proof.previous }]
    case 'batch: another payment’s place':
      return [name, { ...proof, index: 3 }]
    case 'batch: another network':
      return [name, showPayment({ header: { network: bytes32(5) } }).proof]
    case 'payment: the batch’s operation is no transfer':
      return [name, { ...proof, operation: bytes32(1) }]
    case 'block: another coinbase':
      return [name, { ...proof, anchor: { ...proof.anchor, coinbase: coinbase(7) } }]
    default:
      throw new Error(name)
  }
}

function partsOf(raw: Uint8Array) {
  const view = new DataView(raw.buffer, raw.byteOffset)
  const outputs: { value: bigint; script: Uint8Array }[] = []
  for (let at = 4 + 1 + 41 + 1; at < raw.length - 4; ) {
    const size = raw[at + 8] as number
    outputs.push({ value: view.getBigUint64(at, true), script: raw.slice(at + 9, at + 9 + size) })
    at += 9 + size
  }
  return { outputs }
}

describe('a forged proof', () => {
  const made = showPayment()
  it.each([
    'link: an anchor that spends a stranger’s coin',
    'link: an anchor that spends another output of the link before',
    'link: an anchor that spends the link before by its second input',
    'link: another link before',
    'anchor: no next link',
    'anchor: a resume of the same header',
    'anchor: another batch’s',
    'batch: another payment’s place',
    'batch: another network',
    'payment: the batch’s operation is no transfer',
  ])('%s: is refused at that stage', (name) => {
    const [, proof] = forge(name, made)
    expect(openPaymentProof(params, network, proof)).toMatchObject({ ok: false, stage: name.split(':')[0] })
    const shown = { ...made.shown, proof: encodePaymentProof(proof) }
    expect(verifyPayment(params, shown, made.tip).ok).toBe(false)
  })

  it('with another coinbase is in no block', () => {
    const [, proof] = forge('block: another coinbase', made)
    const shown = { ...made.shown, proof: encodePaymentProof(proof) }
    expect(verifyPayment(params, shown, made.tip)).toMatchObject({ ok: false, stage: 'block' })
  })

  it('of another network’s parameters', () => {
    const foreign = { ...params, scanHeight: params.scanHeight + 1 }
    expect(verifyPayment(foreign, made.shown, made.tip)).toMatchObject({ ok: false, stage: 'batch' })
  })

  it('with any byte changed, cut or added is refused', () => {
    const { proof, blockHeaders } = made.shown
    const stages = new Set<string>()
    for (let at = 0; at < proof.length; at++) {
      for (const mask of [1, 0x80, 0xff]) {
        const changed = proof.with(at, (proof[at] as number) ^ mask)
        const read = decodePaymentProof(changed)
        if (read !== undefined) expect(equalBytes(encodePaymentProof(read), changed)).toBe(true)
        const verdict = verifyPayment(params, { proof: changed, blockHeaders }, made.tip)
        expect(verdict.ok, `byte ${at}`).toBe(false)
        if (!verdict.ok) stages.add(verdict.stage)
      }
      expect(verifyPayment(params, { proof: proof.slice(0, at), blockHeaders }, made.tip).ok).toBe(false)
    }
    expect(verifyPayment(params, { proof: concatBytes(proof, Uint8Array.of(0)), blockHeaders }, made.tip).ok).toBe(
      false,
    )
    expect([...stages].sort()).toEqual(['anchor', 'batch', 'block', 'form', 'link', 'payment'])
  })

  it('with any byte of the headers changed, or a header gone, out of place or repeated, is refused', () => {
    const { proof, blockHeaders } = made.shown
    for (let at = 0; at < blockHeaders.length; at++) {
      const changed = blockHeaders.with(at, (blockHeaders[at] as number) ^ 1)
      expect(verifyPayment(params, { proof, blockHeaders: changed }, made.tip).ok, `byte ${at}`).toBe(false)
    }
    const rows = Array.from({ length: blockHeaders.length / 80 }, (_, at) => blockHeaders.slice(80 * at, 80 * at + 80))
    const runs = rows.flatMap((row, at) => [
      ...(at === 0 ? [] : [rows.filter((_, other) => other !== at)]),
      [...rows.slice(0, at), row, row, ...rows.slice(at + 1)],
      ...(at === 0 ? [] : [[...rows.slice(0, at - 1), row, rows[at - 1] as Uint8Array, ...rows.slice(at + 1)]]),
    ])
    for (const run of runs)
      expect(verifyPayment(params, { proof, blockHeaders: concatBytes(...run) }, made.tip).ok).toBe(false)
  })

  it('put together from several true ones shows only what one of them shows', () => {
    // The same batch's, and another batch's that is as true; in a run that holds neither's block twice.
    const [sibling, stranger] = [showPayment({ index: 3 }), showPayment({ number: 2 })]
    const parts = (whole: PaymentProof) => [
      { operation: whole.operation },
      { index: whole.index },
      { path: whole.path },
      { header: whole.header },
      { previous: whole.previous },
      { anchor: whole.anchor },
    ]
    const sources = [made, sibling, stranger].map(({ proof }) => parts(proof))
    const trueOnes = [made, sibling, stranger].map(({ shown }) => toHex(shown.proof))
    fc.assert(
      fc.property(fc.array(fc.nat(2), { minLength: 6, maxLength: 6 }), (picks) => {
        const mixed = Object.assign({}, ...picks.map((pick, at) => sources[pick]?.[at])) as PaymentProof
        const proof = encodePaymentProof(mixed)
        for (const { shown, tip } of [made, sibling, stranger]) {
          const { ok } = verifyPayment(params, { ...shown, proof }, tip)
          expect(!ok || trueOnes.includes(toHex(proof))).toBe(true)
        }
      }),
      { numRuns: 729 },
    )
  })

  it('with several bytes changed at random is refused', () => {
    const { proof, blockHeaders } = made.shown
    const edit = fc.record({ at: fc.nat(proof.length - 1), to: fc.nat(255) })
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 8 }), (edits) => {
        const changed = edits.reduce((bytes, { at, to }) => bytes.with(at, to), proof)
        const { ok } = verifyPayment(params, { proof: changed, blockHeaders }, made.tip)
        expect(ok).toBe(equalBytes(changed, proof))
      }),
      { numRuns: 2000 },
    )
  })

  it('with its paths exchanged, or hashes of one in another place, is refused', () => {
    const { proof } = made
    const { path, anchor } = proof
    const all: PaymentProof[] = [
      { ...proof, path: anchor.helpers.slice(0, path.length) },
      { ...proof, path: path.toReversed() },
      { ...proof, anchor: { ...anchor, helpers: anchor.helpers.toReversed() } },
      { ...proof, anchor: { ...anchor, helpers: path } },
      { ...proof, previous: anchor.transaction, anchor: { ...anchor, transaction: proof.previous } },
      { ...proof, anchor: { ...anchor, transaction: anchor.coinbase, coinbase: anchor.transaction } },
    ]
    for (let at = 0; at < path.length; at++) all.push({ ...proof, path: path.toSpliced(at, 1) })
    for (let at = 0; at <= path.length; at++) all.push({ ...proof, path: path.toSpliced(at, 0, bytes32(0)) })
    for (let at = 0; at < anchor.helpers.length; at++)
      all.push({ ...proof, anchor: { ...anchor, helpers: anchor.helpers.toSpliced(at, 1) } })
    for (const wrong of all) {
      const shown = { ...made.shown, proof: encodePaymentProof(wrong) }
      expect(verifyPayment(params, shown, made.tip).ok).toBe(false)
    }
  })
})
