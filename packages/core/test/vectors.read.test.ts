import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { checkBatch } from '../src/batch.ts'
import { bondKey, bondKeysOf, bondScriptsOf, stakeOf } from '../src/bond.ts'
import { slashSighash } from '../src/bond-spend.ts'
import { concatBytes, equalBytes } from '../src/bytes.ts'
import { genesisChain } from '../src/chain.ts'
import type { Claim } from '../src/claim.ts'
import type { Deposit } from '../src/deposit.ts'
import { deriveBlock } from '../src/derive.ts'
import { decodeDocument, encodeDocument } from '../src/document.ts'
import { decodeEvidence, encodeEvidence, verifyEvidence } from '../src/evidence.ts'
import { L1Facts } from '../src/facts.ts'
import type { ForcedEntry } from '../src/forced.ts'
import { hashPair, hashRecord, ZERO_HASH, zeroHash } from '../src/hash.ts'
import {
  type AnchoredLink,
  decodeHeader,
  encodeHeader,
  type Header,
  headerHash,
  type ParentEnd,
} from '../src/header.ts'
import type { L1Block } from '../src/l1.ts'
import { Ledger } from '../src/ledger.ts'
import { computeRoot, depthOf, merkleRoot, rowOf } from '../src/merkle.ts'
import { decodeMessage, encodeMessage, type Message } from '../src/message.ts'
import { dataModeOf } from '../src/mode.ts'
import { applyOperation, decodeOperation, operationId } from '../src/operation.ts'
import { networkId } from '../src/params.ts'
import { paramsFromJson } from '../src/params-json.ts'
import { decodePaymentProof, encodePaymentProof } from '../src/payment-proof.ts'
import { planPayout, planSweep } from '../src/payout.ts'
import { judgePromise, type ShownLink } from '../src/promise.ts'
import { decodePart } from '../src/publication.ts'
import { verifyReceipt } from '../src/receipt.ts'
import { dataCarrier, depositOutput } from '../src/scripts.ts'
import { decodeSigned, encodeSigned, type SignedOperation, signedMessage } from '../src/signed.ts'
import { decodeTotals, stateRoot } from '../src/totals.ts'
import type { Vault } from '../src/vault.ts'
import { verifyPayment } from '../src/verify-payment.ts'
import { judgeVector } from './corpus/headers.ts'
import { hex, type Json, toJson, totalsFrom } from './corpus/json.ts'
import { vectorContext } from './corpus/operations.ts'
import { describeChain, describeDeposits } from './corpus/traces.ts'
import { leafAt } from './corpus/trees.ts'
import { planToJson } from './corpus/vault.ts'
import { factsOf, sweptAt } from './facts.ts'
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
    ...bytesIn<Header>(header, 'network', 'parent', 'pre', 'post', 'opsRoot', 'stepsRoot', 'nonceRoot', 'prevSig'),
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
  const { cases, parent, resumed, malformed } = read('headers')
  const end = bytesIn<ParentEnd>(parent, 'post', 'nonceRoot')
  for (const { name, bytes, hash, link, fault } of list(cases)) {
    const place = bytesIn<AnchoredLink>(link, 'post', 'parent')
    expect(headerHash(hex(bytes))).toEqual(hex(hash))
    expect(judgeVector(hex(bytes), place, end) ?? null, String(name)).toBe(fault)
  }
  const { nonceRoot: _, ...behindResume } = end
  for (const { bytes, link, fault } of list(resumed))
    expect(judgeVector(hex(bytes), bytesIn<AnchoredLink>(link, 'post', 'parent'), behindResume) ?? null).toBe(fault)
  for (const { name, bytes } of list(malformed)) {
    const [first] = list(cases)
    const place = bytesIn<AnchoredLink>(first?.link, 'post', 'parent')
    expect(judgeVector(hex(bytes), place, end), String(name)).toBe('malformed')
  }
})

/** Facts from hashes of the blocks from the scan height on, and what is swept in them. */
function factsFrom(bitcoin: Fields): L1Facts {
  const swept = list(bitcoin.swept).map(({ height, tx, index, key, value }) =>
    sweptAt({ height: Number(height), tx: Number(tx), index: Number(index) }, hex(key), BigInt(String(value))),
  )
  const forced = list(bitcoin.forced).map(({ height, tx, index, operation }): ForcedEntry => {
    const position = { height: Number(height), tx: Number(tx), index: Number(index) }
    return { position, operation: decodeSigned(hex(operation)) as SignedOperation }
  })
  return factsOf((bitcoin.blocks as string[]).map(hex), { swept, forced })
}

describe('evidence', () => {
  const { guilty, innocent } = read('evidence')

  test.each([...list(guilty), ...list(innocent)].map((one) => [String(one.name), one] as const))(
    '%s',
    (_, { link, evidence, fault, refused, bitcoin }) => {
      const decoded = decodeEvidence(hex(evidence))
      if (decoded === undefined) throw new Error('it does not decode')
      expect(equalBytes(encodeEvidence(decoded), hex(evidence))).toBe(true)
      const anchored = bytesIn<AnchoredLink>(link, 'headerHash', 'post', 'parent', 'nonceRoot', 'parentNonceRoot')
      const verdict = verifyEvidence(courtOf(factsFrom(fields(bitcoin)), isSigned), anchored, decoded)
      expect(verdict).toEqual(fault === undefined ? { ok: false, reason: refused } : { ok: true, fault })
    },
  )
})

test('messages', () => {
  const { messages, refused } = read('messages')
  for (const { message, payload, script } of list(messages)) {
    expect(toJson(decodeMessage(hex(payload)))).toEqual(message)
    expect(
      encodeMessage(bytesIn<Message>(message, 'headerHash', 'word', 'mark', 'key', 'refundKey', 'signature')),
    ).toEqual(hex(payload))
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

test('deposit scripts', () => {
  for (const { key, refundKey, script, sweep, refund } of list(read('deposit-scripts').cases)) {
    const output = depositOutput(params, hex(key), hex(refundKey))
    expect(output.script).toEqual(hex(script))
    for (const [path, json] of [[output.sweep, sweep] as const, [output.refund, refund] as const]) {
      expect(toJson({ leaf: path.leaf, control: path.control })).toEqual(json)
    }
  }
})

test('plans', () => {
  const { payouts, sweeps } = read('plans')
  for (const { name, vault, claims, headerHash: hash, feeRate, plan } of list(payouts)) {
    const planned = planPayout(params, vaultFrom(vault), list(claims).map(claimFrom), hex(hash), amount(feeRate))
    expect(planToJson(planned), String(name)).toEqual(plan)
  }
  for (const { name, vault, deposits, height, feeRate, plan } of list(sweeps)) {
    const made = list(deposits).map(depositFrom)
    expect(
      planToJson(planSweep(params, vaultFrom(vault), made, Number(height), amount(feeRate))),
      String(name),
    ).toEqual(plan)
  }
})

const amount = (json: Json | undefined) => BigInt(String(json))

function vaultFrom(json: Json | undefined): Vault {
  const { head, value, ...rest } = fields(json)
  return { ...(rest as unknown as Vault), head: bytesIn(head, 'txid'), value: amount(value) }
}

function claimFrom(json: Fields): Claim {
  const { number, script, amount: owed, payoutFee } = json
  return { number: Number(number), script: hex(script), amount: amount(owed), payoutFee: amount(payoutFee) }
}

function depositFrom({ value, ...rest }: Fields): Deposit {
  return { ...bytesIn<Omit<Deposit, 'value'>>(rest, 'txid', 'key', 'refundKey'), value: amount(value) }
}

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
  if (deposits !== undefined) expect(describeDeposits(derivation.facts)).toEqual(deposits)
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

describe('promises', () => {
  const { cases } = read('promises')

  test.each(list(cases).map((one) => [String(one.name), one] as const))(
    '%s',
    (_, { document, height, links, breach, refused }) => {
      const opened = decodeDocument(hex(document))
      if (!opened.ok || opened.document.kind !== 'broken-promise') throw new Error('it is no broken promise')
      const blockHash = (at: number) => (at <= Number(height) ? new Uint8Array(32).fill(at) : undefined)
      const byNumber = new Map(list(links).map((link) => [Number(link.number), linkFrom(link)]))
      const facts = { height: Number(height), blockHash, link: (number: number) => byNumber.get(number) }
      const verdict = judgePromise(params, facts, opened.document)
      expect(verdict).toEqual(breach === undefined ? { ok: false, reason: refused } : { ok: true, breach })
    },
  )
})

function linkFrom({ anchor, height, isNull, voided }: Fields): ShownLink {
  const said =
    anchor === undefined ? undefined : bytesIn<NonNullable<ShownLink['anchor']>>(anchor, 'headerHash', 'word', 'mark')
  return {
    anchor: said,
    height: Number(height),
    ...(isNull === true && { isNull }),
    ...(voided !== undefined && { voided: voided as never }),
  }
}

test('bonds', () => {
  const { params: json, network: id, scripts, slash, blocks, bonds } = read('bonds')
  const asking = paramsFromJson(json)
  expect(networkId(asking)).toEqual(hex(id))
  const { jointKey, ...outputs } = fields(scripts)
  const keys = bondKeysOf(asking)
  expect(keys && bondKey(keys)).toEqual(hex(jointKey))
  expect(toJson(bondScriptsOf(asking))).toEqual(outputs)
  const facts = new L1Facts(asking.scanHeight)
  const court = { ...courtOf(facts, isSigned), params: asking, network: networkId(asking) }
  const [first] = list(blocks)
  let chain = genesisChain(asking, hex(first?.parent))
  for (const { events, ...block } of list(blocks)) {
    const mined = blockOf(block)
    const derived = deriveBlock(court, chain, mined)
    expect(derived.events.map(say)).toEqual(events)
    facts.append(mined.height, mined.hash, derived.facts)
    chain = derived.chain
  }
  expect(toJson(chain.bonds)).toEqual(bonds)
  const [bond] = chain.bonds
  expect(bond && toJson(slashSighash(stakeOf(asking, bond), 0))).toEqual(fields(slash).sighash)
})

describe('modes', () => {
  const { certified, bitcoin } = read('modes')

  test.each([
    ['certified', fields(certified)],
    ['bitcoin', fields(bitcoin)],
  ])('%s', (_, { params: json, network: id, blocks, cases = [] }) => {
    const rules = paramsFromJson(json)
    expect(networkId(rules)).toEqual(hex(id))
    const facts = new L1Facts(rules.scanHeight)
    const court = courtOf(facts, isSigned, rules)
    expect(court.network).toEqual(hex(id))
    let chain = genesisChain(rules, hex(list(blocks)[0]?.parent))
    const follow = ({ events, chain: described, ...block }: Fields) => {
      const mined = blockOf(block)
      const derived = deriveBlock(court, chain, mined)
      facts.append(mined.height, mined.hash, derived.facts)
      chain = derived.chain
      if (events !== undefined) expect(derived.events.map(say)).toEqual(events)
      if (described !== undefined) expect(describeChain(chain)).toBe(described)
    }
    for (const block of list(blocks).slice(0, 2)) follow(block)
    for (const { name, mode, evidence, link, fault } of list(cases)) {
      const shown = decodeEvidence(hex(evidence))
      const header = shown && decodeHeader(shown.header)
      if (shown === undefined || header === undefined) throw new Error('it does not decode')
      expect(dataModeOf(rules, header)).toBe(mode)
      const place = bytesIn<AnchoredLink>(link, 'headerHash', 'post', 'parent', 'nonceRoot')
      const verdict = verifyEvidence(court, place, shown)
      expect(verdict.ok ? verdict.fault : null, String(name)).toBe(fault)
    }
    for (const block of list(blocks).slice(2)) follow(block)
  })
})
