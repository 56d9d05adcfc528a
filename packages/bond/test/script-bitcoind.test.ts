import { build, buildPayment, readTransaction, sendTransaction, testAccept } from '@kedge/bitcoin'
import { concatBytes, fromHex, type L1Output, push, sha256, toHex, treeOutput, UNSPENDABLE_KEY } from '@kedge/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runScript, type ScriptChecks } from '../src/interpreter.ts'
import { OP } from '../src/opcodes.ts'
import { faultsOf, freshKey, fundedKey, NO_BITCOIND, type Spending, useBitcoind } from './ground.ts'

/** A leaf, and what is put onto its stack. No signature, so any transaction will do. */
interface Program {
  readonly script: Uint8Array
  readonly elements: readonly Uint8Array[]
  readonly sequence: number
}

const VALUES = ['', '01', '02', '07', '10', '11', '80', '81', '0700', '0080', '070000', '0100000000', '010000000000']

/** Pushes of few values, shortest and not, among the opcodes that need no signature. */
const value = fc.constantFrom(...VALUES.map((hex) => fromHex(hex)))
const pushed = fc.oneof(
  value.map((bytes) => concatBytes(Uint8Array.of(bytes.length), bytes)),
  value.map((bytes) => concatBytes(Uint8Array.of(OP.PUSHDATA1, bytes.length), bytes)),
  value.map((bytes) => concatBytes(Uint8Array.of(OP.PUSHDATA2, bytes.length, 0), bytes)),
  value.map((bytes) => push(sha256(bytes))),
  fc.integer({ min: OP.NUMBER_1, max: OP.NUMBER_16 }).map((opcode) => Uint8Array.of(opcode)),
)
const opcode = fc.constantFrom(
  ...[OP.DROP, OP.EQUAL, OP.EQUALVERIFY, OP.NUMEQUAL, OP.SHA256, OP.CHECKSEQUENCEVERIFY],
  ...[OP.CHECKSIG, OP.CHECKSIGADD, OP.CHECKSIGVERIFY],
)
const program: fc.Arbitrary<Program> = fc.record({
  script: fc
    .array(
      fc.oneof(
        pushed,
        opcode.map((code) => Uint8Array.of(code)),
      ),
      { minLength: 1, maxLength: 7 },
    )
    .map((parts) => concatBytes(...parts)),
  elements: fc.array(value, { maxLength: 3 }),
  sequence: fc.integer({ min: 0, max: 3 }),
})

/** The kinds of signature there are none of: every one is wrong. */
const UNSIGNED = (sequence: number): ScriptChecks => ({
  isSigned: () => false,
  isLockedFor: (lock) => Math.floor(lock / 2 ** 31) % 2 === 1 || (lock & 0x40ffff) <= sequence,
})

/** Of many random programs as many as `each` for each thing that can be said about one, so that none is missing. */
function programs(seed: number, each: number): Program[] {
  const byVerdict = new Map<string, Program[]>()
  for (const candidate of fc.sample(program, { seed, numRuns: 20_000 })) {
    const { script, elements, sequence } = candidate
    const judge = (rules: 'consensus' | 'relay') => runScript(script, elements, 200, UNSIGNED(sequence), rules)
    const verdict = `${judge('consensus')} ${judge('relay')}`
    byVerdict.set(verdict, [...(byVerdict.get(verdict) ?? []), candidate])
  }
  const verdicts = [...byVerdict.keys()]
  for (const needed of ['undefined undefined', 'undefined minimal', 'stack stack', 'number number', 'verify verify'])
    expect(verdicts).toContain(needed)
  return [...byVerdict.values()].flatMap((list) => list.slice(0, each))
}

describe.skipIf(NO_BITCOIND)('bitcoind and the interpreter', () => {
  const bitcoind = useBitcoind('core')

  test('agree on random programs, as to relay and as to consensus', { timeout: 60_000 }, async () => {
    const all = programs(1, 12)
    const outputs = all.map(({ script }): L1Output => {
      return { script: treeOutput(UNSPENDABLE_KEY, [script]).script, value: 1_000n }
    })
    const funding = buildPayment(outputs, await fundedKey(bitcoind(), 1_000_000n))
    expect(await sendTransaction(bitcoind().rpc, funding.raw, 0n)).toEqual({ ok: true })
    // Relative locks of up to three blocks have run out.
    await bitcoind().mine(4)
    for (const [at, one] of all.entries()) {
      const spending = spend(one, { txid: funding.txid, vout: at }, outputs[at] as L1Output)
      const name = `${toHex(one.script)} on ${one.elements.map(toHex).join(' ')}`
      const relayed = await testAccept(bitcoind().rpc, spending.raw)
      expect(relayed.ok, name).toBe(faultsOf(spending, 'relay').length === 0)
      const mined = await bitcoind()
        .mineBlock([spending.raw])
        .then(
          () => true,
          (error: unknown) => (/script|Script/.test(String(error)) ? false : Promise.reject(error)),
        )
      expect(mined, name).toBe(faultsOf(spending, 'consensus').length === 0)
    }
  })
})

function spend(
  { script, elements, sequence }: Program,
  outpoint: { txid: Uint8Array; vout: number },
  spent: L1Output,
): Spending {
  const [output] = treeOutput(UNSPENDABLE_KEY, [script]).leaves
  if (output === undefined) throw new Error('a tree of one leaf')
  const { leaf, control } = output
  const witness = () => [...elements, leaf, control]
  const input = { outpoint, ...spent, sequence, leaf, witness }
  const { raw } = build([input], [{ script: freshKey().script, value: 500n }])
  expect(readTransaction(raw).inputs[0]?.witness).toEqual(witness())
  return { raw, spent: [spent] }
}
