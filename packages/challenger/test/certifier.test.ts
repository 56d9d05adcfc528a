import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { publicKeyOf, signHash } from '@kedge/bitcoin'
import {
  buildHeader,
  certifiableOf,
  certifyMessage,
  concatBytes,
  decodeCertifyAnswer,
  decodeHeader,
  encodeCertifyRequest,
  encodeHeader,
  encodeWhole,
  equalBytes,
  type Header,
  headerHash,
  isVouchedFor,
  merkleRoot,
  networkId,
  operationId,
  type Params,
  regtestRules,
  stepLeaves,
  ZERO_HASH,
} from '@kedge/core'
import { BatchData, type FetchData } from '@kedge/node'
import { headers, operations, Store, steps } from '@kedge/storage'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Certifier } from '../src/certifier.ts'

const secretOf = (seed: number) => new Uint8Array(32).fill(seed)
const keyOf = (seed: number) => publicKeyOf(secretOf(seed))
const ANCHOR = secretOf(1)

const params: Params = {
  ...regtestRules,
  caps: { ...regtestRules.caps, operations: 4, deposits: 2, forced: 2 },
  genesis: { txid: ZERO_HASH, vout: 0 },
  vault: { txid: ZERO_HASH, vout: 1, value: 10_000n },
  scanHeight: 101,
  keys: { anchor: keyOf(1), slot: keyOf(2), fees: keyOf(3), watchers: [keyOf(11), keyOf(12), keyOf(13)], threshold: 2 },
  data: { kind: 'certified', operations: 12 },
}
const network = networkId(params)

/** A batch of so many operations, as its sequencer has it. */
function batchOf(count: number, instead: Partial<Header> = {}) {
  const list = Array.from({ length: count }, (_, at) => new Uint8Array(17).fill(at))
  const stepRoots = concatBytes(...list.map((_, at) => secretOf(at + 1)))
  const sealed = {
    pre: ZERO_HASH,
    post: stepRoots.slice(-32),
    opsRoot: merkleRoot(concatBytes(...list.map(operationId))),
    stepsRoot: merkleRoot(stepLeaves(ZERO_HASH, stepRoots)),
    operations: list,
  }
  const place = { network, number: 7, parent: ZERO_HASH, origin: { height: 5, hash: secretOf(91) } }
  const { header } = buildHeader(place, sealed, { nonceRoot: secretOf(92), prevSig: new Uint8Array(96) })
  const asked = certifiableOf({ ...header, ...instead })
  const source = { headerBytes: asked.bytes, pre: ZERO_HASH, operations: list, stepRoots }
  return { asked, data: encodeWhole('data', source), steps: encodeWhole('steps', source) }
}

type Made = ReturnType<typeof batchOf>

let folder: string
let made = 0
const stores: Store[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kedge-certifier-'))
})

afterAll(async () => {
  for (const store of stores) await store.close()
  await rm(folder, { recursive: true })
})

const nobody: FetchData = () => Promise.resolve(undefined)

/** Peers that give what they are said to have, whatever they are asked for. */
function peersWith(has: Partial<Pick<Made, 'data' | 'steps'>>): FetchData {
  return ({ kind }, { accept }) => {
    const bytes = kind === 'data' || kind === 'steps' ? has[kind] : undefined
    return Promise.resolve(bytes !== undefined && accept(bytes) === true ? bytes : undefined)
  }
}

/** The watcher at place 1, with an empty disk. */
async function watcher(fetch: FetchData, numbers = { final: 0, link: 6 }) {
  const store = await Store.open(join(folder, String(made++)), network)
  stores.push(store)
  const parts = { params, network, data: new BatchData(store, fetch), log: { info: () => undefined } }
  return { store, certifier: new Certifier({ ...parts, secret: secretOf(12), numbers: () => numbers }) }
}

const request = ({ asked }: Made, secret: Uint8Array = ANCHOR) =>
  encodeCertifyRequest(asked, signHash(certifyMessage(asked), secret))

describe('a watcher that is asked to vouch for a batch', () => {
  const batch = batchOf(9)

  test('signs once it has operations and step roots on disk, and serves them under the header that is anchored', async () => {
    const { store, certifier } = await watcher(peersWith(batch))
    const answer = decodeCertifyAnswer(params, batch.asked, await certifier.answer(request(batch)))
    if (typeof answer !== 'object') throw new Error(`it says ${answer}`)
    expect(answer.place).toBe(1)
    expect(await store.get(operations, batch.asked.hash)).toEqual(batch.data)
    expect(await store.get(steps, batch.asked.hash)).toEqual(batch.steps)

    const another = { place: 2, signature: signHash(batch.asked.message, secretOf(13)) }
    const header = { ...batch.asked.header, certificate: { signatures: [answer, another] } }
    expect(isVouchedFor(params, header)).toBe(true)
    const bytes = encodeHeader(header)
    const hash = headerHash(bytes)
    await store.commit([headers.put(hash, bytes)])
    const alone = new BatchData(store, nobody)
    expect((await alone.body(hash, new AbortController().signal))?.operations).toHaveLength(9)
    expect(await alone.stepRoots(hash, new AbortController().signal)).toHaveLength(9 * 32)
    expect(await alone.answer(hash, 'data')).toHaveLength(batch.data.length + 130)
    expect(await store.get(operations, batch.asked.hash)).toBeUndefined()
  })

  test.each<[string, FetchData]>([
    ['nothing', nobody],
    ['operations alone', peersWith({ data: batch.data })],
    ['step roots alone', peersWith({ steps: batch.steps })],
    ['another batch’s data', peersWith(batchOf(10))],
  ])('signs nothing where it gets %s', async (_, fetch) => {
    const { certifier } = await watcher(fetch)
    expect(decodeCertifyAnswer(params, batch.asked, await certifier.answer(request(batch)))).toBe('missing')
  })

  test.each<[string, Made, Uint8Array]>([
    ['by somebody who is not the sequencer', batch, secretOf(9)],
    ['by another watcher', batch, secretOf(11)],
    ['about a batch that needs no certificate', batchOf(4), ANCHOR],
    ['about one that is too large for one', batchOf(13), ANCHOR],
    ['about one of another network', batchOf(9, { network: ZERO_HASH }), ANCHOR],
  ])('signs nothing when it is asked %s', async (_, asked, secret) => {
    const { certifier } = await watcher(peersWith(asked))
    expect(decodeCertifyAnswer(params, asked.asked, await certifier.answer(request(asked, secret)))).toBe('stranger')
  })

  test('takes no header that has a certificate, and nothing with a byte more or less', async () => {
    const { certifier } = await watcher(peersWith(batch))
    const sent = request(batch)
    for (const bytes of [sent.slice(1), concatBytes(sent, Uint8Array.of(0)), new Uint8Array(0)])
      expect(decodeCertifyAnswer(params, batch.asked, await certifier.answer(bytes))).toBe('stranger')
  })

  test.each([
    { final: 7, link: 7 },
    { final: 0, link: 7 - 33 },
  ])('signs nothing under a number that is final or far ahead: %o', async (numbers) => {
    const { certifier } = await watcher(peersWith(batch), numbers)
    expect(decodeCertifyAnswer(params, batch.asked, await certifier.answer(request(batch)))).toBe('number')
  })

  test('holds a few headers for a number, and no more: a sequencer could fill its disk', async () => {
    const { certifier } = await watcher(nobody)
    const others = [1, 2, 3, 4, 5, 5].map((seed) => batchOf(9, { parent: secretOf(seed) }))
    const answers: unknown[] = []
    for (const other of others)
      answers.push(decodeCertifyAnswer(params, other.asked, await certifier.answer(request(other))))
    expect(answers).toEqual(['missing', 'missing', 'missing', 'missing', 'number', 'number'])
  })
})

describe('who asks takes a watcher’s word', () => {
  const { asked } = batchOf(9)
  const answer = (place: number, secret: Uint8Array, message = asked.message) =>
    decodeCertifyAnswer(params, asked, concatBytes(Uint8Array.of(place), signHash(message, secret)))

  test('for this header, from its own key, to the byte', () => {
    expect(answer(0, secretOf(11))).toMatchObject({ place: 0 })
    expect(answer(0, secretOf(12))).toBeUndefined()
    expect(answer(3, secretOf(11))).toBeUndefined()
    expect(answer(0, secretOf(11), batchOf(10).asked.message)).toBeUndefined()
    expect(answer(0, secretOf(11), certifyMessage(asked))).toBeUndefined()
    const signed = concatBytes(Uint8Array.of(0), signHash(asked.message, secretOf(11)))
    expect(decodeCertifyAnswer(params, asked, concatBytes(signed, Uint8Array.of(0)))).toBeUndefined()
    expect(decodeCertifyAnswer(params, asked, Uint8Array.of(0xff, 9))).toBeUndefined()
    expect(decodeCertifyAnswer(params, asked, Uint8Array.of(0xff, 2))).toBe('missing')
  })

  test('under a hash that no certificate changes', () => {
    expect(decodeHeader(asked.bytes)).toEqual(asked.header)
    expect(equalBytes(headerHash(asked.bytes), asked.hash)).toBe(true)
    const signatures = [0, 1].map((place) => ({ place, signature: new Uint8Array(64) }))
    expect(certifiableOf({ ...asked.header, certificate: { signatures } })).toEqual(asked)
  })
})
