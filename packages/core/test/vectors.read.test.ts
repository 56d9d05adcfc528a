import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { checkBatch } from '../src/batch.ts'
import { concatBytes, equalBytes } from '../src/bytes.ts'
import type { Deposit } from '../src/deposit.ts'
import { decodeDocument, encodeDocument } from '../src/document.ts'
import { decodeEvidence, encodeEvidence, verifyEvidence } from '../src/evidence.ts'
import { L1Facts } from '../src/facts.ts'
import { hashPair, hashRecord, ZERO_HASH, zeroHash } from '../src/hash.ts'
import { type AnchoredLink, encodeHeader, type Header, headerHash } from '../src/header.ts'
import type { L1Block } from '../src/l1.ts'
import { Ledger } from '../src/ledger.ts'
import { computeRoot, depthOf, merkleRoot, rowOf } from '../src/merkle.ts'
import { decodeMessage, encodeMessage, type Message } from '../src/message.ts'
import { applyOperation, decodeOperation, operationId } from '../src/operation.ts'
import { networkId, paramsFromJson } from '../src/params.ts'
import { decodePaymentProof, encodePaymentProof } from '../src/payment-proof.ts'
import { decodePart } from '../src/publication.ts'
import { verifyReceipt } from '../src/receipt.ts'
import { dataCarrier } from '../src/scripts.ts'
import { decodeSigned, encodeSigned, signedMessage } from '../src/signed.ts'
import { decodeTotals, stateRoot } from '../src/totals.ts'
import { judgeVector } from './corpus/headers.ts'
import { hex, type Json, toJson, totalsFrom } from './corpus/json.ts'
import { vectorContext } from './corpus/operations.ts'
import { describeChain } from './corpus/traces.ts'
import { leafAt } from './corpus/trees.ts'
import { contextOf, courtOf, Derivation } from './rollup.ts'
import { say } from './trace.ts'
import { isSigned, network, params } from './world.ts'

/** The code against the files, as another implementation would be: what they say is all there is. */

type Fields = Record<string, Json>

function read(name: string): Fields {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8'))
}

const list = (json: Json | undefined) => json as readonly Fields[]
const fields = (json: Json | undefined) => json as Fields

function ledgerOf(state: Fields): Ledger {
  const ledger = new Ledger()
  ledger.load((state.cells as string[]).map(hex), totalsFrom(fields(state.totals)))
  return ledger
}

/** Everything in the fields that is hex of the names given, as bytes. */
function bytesIn<T>(json: Json | undefined, ...names: string[]): T {
  return Object.fromEntries(
    Object.entries(fields(json)).map(([name, item]) => [name, names.includes(name) ? hex(item) : item]),
  ) as T
}

test('params', () => {
  const { params: json, network: id } = read('params')
  expect(paramsFromJson(json)).toEqual(params)
  expect(networkId(paramsFromJson(json))).toEqual(hex(id))
})

test('signatures', () => {
  for (const { signed, message, signature, operation, owner } of list(read('signatures').cases)) {
    const decoded = decodeSigned(hex(operation))
    if (decoded === undefined) throw new Error('it does not decode')
    expect(toJson(decoded)).toEqual(signed)
    expect(encodeSigned(decoded)).toEqual(hex(operation))
    expect(signedMessage(network, decoded)).toEqual(hex(message))
    expect(decoded.signature).toEqual(hex(signature))
    expect(isSigned(hex(owner), decoded)).toBe(true)
  }
})

describe('operations', () => {
  const { cases, originHeight } = read('operations')

  test.each(list(cases).map((one) => [String(one.name), one] as const))(
    '%s',
    (_, { pre, operation, post, refusal }) => {
      const ledger = ledgerOf(fields(pre))
      expect(ledger.root).toEqual(hex(fields(pre).root))
      const decoded = decodeOperation(hex(operation))
      const outcome =
        decoded &&
        applyOperation({ ...vectorContext, originHeight: Number(originHeight) }, ledger.tree, ledger.totals, decoded)
      if (refusal !== undefined) {
        expect(outcome === undefined ? 'undecodable' : outcome.ok ? undefined : outcome.refusal).toBe(refusal)
        return
      }
      if (!outcome?.ok) throw new Error('it is refused')
      ledger.apply(outcome.updates, outcome.totals)
      ledger.seal()
      expect(ledger.root).toEqual(hex(fields(post).root))
      expect(ledgerOf(fields(post)).root).toEqual(ledger.root)
    },
  )
})

test('trees', () => {
  const { roots, proofs, refused } = read('trees')
  for (const { count, depth, root } of list(roots)) {
    expect(depthOf(Number(count))).toBe(depth)
    expect(merkleRoot(rowOf(Array.from({ length: Number(count) }, (_, at) => leafAt(at))))).toEqual(hex(root))
  }
  for (const { name, count, indices, helpers, root } of [...list(proofs), ...list(refused)]) {
    const at = indices as number[]
    const computed = computeRoot(Number(count), at, at.map(leafAt), (helpers as string[]).map(hex))
    expect(toJson(computed), String(name)).toBe(root)
  }
})

test('states', () => {
  for (const one of list(read('states').states)) {
    const totals = decodeTotals(hex(one.totals))
    if (totals === undefined) throw new Error('the totals do not decode')
    expect(stateRoot(hex(one.cellsRoot), totals)).toEqual(hex(one.stateRoot))
    const [count, helpers] = [Number(one.count), (one.proofOfAbsence as string[]).map(hex)]
    const grows = depthOf(count + 1) > depthOf(count)
    const before = grows ? hashPair(hex(one.cellsRoot), zeroHash(depthOf(count))) : hex(one.cellsRoot)
    expect(computeRoot(count + 1, [count], [ZERO_HASH], helpers)).toEqual(before)
    expect(computeRoot(count + 1, [count], [hashRecord(hex(one.nextCell))], helpers)).toEqual(hex(one.rootWithIt))
  }
})

test('batch', () => {
  const { pre, post, operations, headerBytes, headerHash: hash, stepRoots, originHeight } = read('batch')
  const ledger = ledgerOf(fields(pre))
  const bytes = (operations as string[]).map(hex)
  const header = JSON.parse(JSON.stringify(read('batch').header))
  const typed = {
    ...bytesIn<Header>(header, 'network', 'parent', 'pre', 'post', 'opsRoot', 'stepsRoot'),
    origin: bytesIn<Header['origin']>(header.origin, 'hash'),
  }
  expect(encodeHeader(typed)).toEqual(hex(headerBytes))
  expect(headerHash(hex(headerBytes))).toEqual(hex(hash))
  const facts = new L1Facts(params.scanHeight)
  expect(typed.origin.height).toBe(originHeight)
  const checked = checkBatch(contextOf(facts, typed.origin, isSigned), ledger, typed, bytes, bytes.map(operationId))
  if (!checked.ok) throw new Error('it is not right')
  expect(checked.sealed.stepRoots).toEqual(concatBytes(...(stepRoots as string[]).map(hex)))
  expect(checked.sealed.opsRoot).toEqual(typed.opsRoot)
  expect(ledger.root).toEqual(hex(fields(post).root))
})

test('headers', () => {
  const { cases, parent, malformed } = read('headers')
  const end = bytesIn<{ post: Uint8Array; originHeight: number }>(parent, 'post')
  for (const { name, bytes, hash, link, fault } of list(cases)) {
    const place = bytesIn<AnchoredLink>(link, 'post', 'parent')
    expect(headerHash(hex(bytes))).toEqual(hex(hash))
    expect(judgeVector(hex(bytes), place, end) ?? null, String(name)).toBe(fault)
  }
  for (const { name, bytes } of list(malformed)) {
    const [first] = list(cases)
    const place = bytesIn<AnchoredLink>(first?.link, 'post', 'parent')
    expect(judgeVector(hex(bytes), place, end), String(name)).toBe('malformed')
  }
})

/** Facts from hashes of the blocks from the scan height on, and the deposits in them. */
function factsOf(bitcoin: Fields): L1Facts {
  const facts = new L1Facts(params.scanHeight)
  const deposits = list(bitcoin.deposits).map(({ height, tx, vout, key, value }): Deposit => {
    const position = { height: Number(height), tx: Number(tx), vout: Number(vout) }
    return {
      position,
      txid: new Uint8Array(32),
      key: hex(key),
      refundKey: new Uint8Array(32),
      value: BigInt(String(value)),
    }
  })
  for (const hash of bitcoin.blocks as string[]) {
    const height = facts.tip + 1
    facts.append(
      height,
      hex(hash),
      deposits.filter(({ position }) => position.height === height),
    )
  }
  return facts
}

describe('evidence', () => {
  const { guilty, innocent } = read('evidence')

  test.each([...list(guilty), ...list(innocent)].map((one) => [String(one.name), one] as const))(
    '%s',
    (_, { link, evidence, fault, refused, bitcoin }) => {
      const decoded = decodeEvidence(hex(evidence))
      if (decoded === undefined) throw new Error('it does not decode')
      expect(equalBytes(encodeEvidence(decoded), hex(evidence))).toBe(true)
      const anchored = bytesIn<AnchoredLink>(link, 'headerHash', 'post', 'parent')
      const verdict = verifyEvidence(courtOf(factsOf(fields(bitcoin)), isSigned), anchored, decoded)
      expect(verdict).toEqual(fault === undefined ? { ok: false, reason: refused } : { ok: true, fault })
    },
  )
})

test('messages', () => {
  const { messages, refused } = read('messages')
  for (const { message, payload, script } of list(messages)) {
    expect(toJson(decodeMessage(hex(payload)))).toEqual(message)
    expect(encodeMessage(bytesIn<Message>(message, 'headerHash', 'word', 'mark', 'key', 'refundKey'))).toEqual(
      hex(payload),
    )
    expect(dataCarrier(hex(script))).toEqual(hex(payload))
  }
  for (const { name, payload } of list(refused)) expect(decodeMessage(hex(payload)), String(name)).toBeUndefined()
})

test('parts', () => {
  const { right, wrong } = read('parts')
  for (const { name, kind, headerHash: hash, part, refused, start, count, leaves } of [
    ...list(right),
    ...list(wrong),
  ]) {
    const data = kind === 'data' ? 'data' : 'steps'
    const decoded = decodePart(data, hex(hash), hex(part))
    expect(decoded === undefined, String(name)).toBe(refused === true)
    if (decoded === undefined) continue
    expect([decoded.start, decoded.count]).toEqual([start, count])
    const bytes = concatBytes(...(leaves as string[]).map(hex))
    expect(data === 'data' ? concatBytes(...decoded.operations) : decoded.stepRoots).toEqual(bytes)
  }
})

function blockOf(json: Fields): L1Block {
  const transactions = list(json.transactions).map(({ txid, inputs, outputs }) => ({
    txid: hex(txid),
    inputs: list(inputs).map(({ txid: from, vout, witness }) => ({
      previous: { txid: hex(from), vout: Number(vout) },
      witness: (witness as string[]).map(hex),
    })),
    outputs: list(outputs).map(({ value, script }) => ({ value: BigInt(String(value)), script: hex(script) })),
  }))
  return { height: Number(json.height), hash: hex(json.hash), parent: hex(json.parent), transactions }
}

const chains = readdirSync(new URL('../vectors/chain/', import.meta.url)).map((file) => file.replace('.json', ''))

test.each(chains)('chain/%s', (name) => {
  const { blocks, chain, deposits } = read(`chain/${name}`)
  const derivation = new Derivation(isSigned)
  for (const block of list(blocks)) {
    expect(derivation.follow(blockOf(block)).map(say)).toEqual(block.events)
    expect(describeChain(derivation.chain)).toBe(block.chain)
  }
  expect(toJson(derivation.chain)).toEqual(chain)
  const found = derivation.facts.depositsAfter({ height: 0, tx: 0, vout: 0 })
  if (deposits !== undefined)
    expect(found.map(({ position, ...rest }) => toJson({ ...position, ...rest }))).toEqual(deposits)
})

describe('proofs', () => {
  const { receipts, payments } = read('proofs')
  const named = (json: Json | undefined) => list(json).map((one) => [String(one.name), one] as const)
  const names = (reservations: readonly { name: string }[]) => reservations.map(({ name }) => name)

  test.each(named(receipts))('receipt: %s', (_, { document, shows }) => {
    const opened = decodeDocument(hex(document))
    if (!opened.ok || opened.document.kind !== 'receipt') throw new Error('it is no receipt')
    expect(encodeDocument(opened.document)).toEqual(hex(document))
    const verdict = verifyReceipt(params, opened.document.operation, opened.document.receipt)
    expect(verdict.ok).toBe(shows !== undefined)
    if (!verdict.ok) return
    const { id, receipt, reservations } = verdict
    const place = { batch: receipt.tick.number, index: receipt.opIndex }
    expect(toJson({ id, ...place, reservations: names(reservations) })).toEqual(shows)
  })

  test.each(named(payments))('payment: %s', (_, { document, checkpoint, shows, stage }) => {
    const opened = decodeDocument(hex(document))
    if (!opened.ok || opened.document.kind !== 'payment-proof') throw new Error('it is no payment proof')
    const proof = decodePaymentProof(opened.document.proof)
    expect(proof && encodePaymentProof(proof)).toEqual(opened.document.proof)
    const verdict = verifyPayment(params, opened.document, bytesIn(checkpoint, 'hash'))
    expect(verdict.ok ? undefined : verdict.stage).toBe(stage)
    if (!verdict.ok) return
    const { payment, block, reservations } = verdict
    const place = { batch: payment.header.number, index: payment.index, anchor: payment.anchor.txid }
    expect(toJson({ id: payment.id, ...place, block, reservations: names(reservations) })).toEqual(shows)
  })
})
