import type { Claim } from '../../src/claim.ts'
import { planPayout, planSweep, type VaultPlan } from '../../src/payout.ts'
import { depositOutput } from '../../src/scripts.ts'
import { genesisVault, type Vault } from '../../src/vault.ts'
import { bytes32, keyOf, params, payoutScript } from '../world.ts'
import { type Json, toJson } from './json.ts'

/** The outputs that deposits pay to, and how each is spent. */
export function depositScriptVectors(): Json {
  const keys: [Uint8Array, Uint8Array][] = [
    [keyOf(41), keyOf(22)],
    [keyOf(22), keyOf(41)],
    [bytes32(0xff), keyOf(22)],
  ]
  const cases = keys.map(([key, refundKey]) => {
    const { script, sweep, refund } = depositOutput(params, key, refundKey)
    const pathOf = ({ leaf, control }: typeof sweep) => toJson({ leaf, control })
    return {
      key: toJson(key),
      refundKey: toJson(refundKey),
      script: toJson(script),
      sweep: pathOf(sweep),
      refund: pathOf(refund),
    }
  })
  return { about: 'a deposit’s rollup key and refund key → its output’s script, and its two leaves', cases }
}

const vault: Vault = {
  ...genesisVault(params),
  value: 1_000_000n,
  number: 7,
  paid: [
    [0, 3],
    [5, 6],
  ],
}
const claim = (number: number, more: Partial<Claim> = {}): Claim => {
  return { number, script: payoutScript(number), amount: 50_000n, payoutFee: 1_000n, ...more }
}
const open = [2, 3, 4, 5, 6, 7].map((number) => claim(number))

const payouts: [string, Vault, readonly Claim[], bigint][] = [
  ['all that is open', vault, open, 1_000n],
  ['at a higher rate', vault, open, 5_000n],
  ['a poor claim is left out', vault, open.with(3, claim(4, { payoutFee: 100n })), 2_000n],
  ['a poor claim in good company', vault, open.with(3, claim(4, { payoutFee: 150n })), 1_000n],
  ['of equal limits the lower numbers', { ...vault, value: 110_000n }, open, 1_000n],
  ['claims too far apart for one tag', vault, [claim(3), claim(314), claim(315)], 1_000n],
  ['the first ones can’t be paid', vault, [claim(3, { payoutFee: 100n }), claim(320)], 1_000n],
  ['nothing can be paid', vault, open, 50_000n],
  ['nothing is open', vault, [claim(2), claim(5)], 1_000n],
  ['the vault has ended', { ...vault, closedAt: 160 }, open, 1_000n],
]

const depositAt = (height: number) => {
  const position = { height, tx: 3, index: 1 }
  return { position, txid: bytes32(height), key: keyOf(41), refundKey: keyOf(22), value: 20_000n }
}

const sweeps: [string, readonly number[], bigint][] = [
  ['two of four: one is too young, one too old', [100, 101, 158, 159], 1_000n],
  ['too dear for one', [120], 2_000n],
  ['not for two', [121, 120], 2_000n],
  ['none', [], 1_000n],
]

/** A plan in a vector: what is spent, and by which leaf. */
export function planToJson(plan: VaultPlan | undefined): Json {
  if (plan === undefined) return null
  const { version, inputs, outputs, fee, claims } = plan
  const spent = inputs.map(({ previous, value, by }) => ({ ...previous, value, leaf: by.leaf, control: by.control }))
  return toJson({ version, inputs: spent, outputs, fee, claims })
}

export function planVectors(): Json {
  return {
    about:
      'planPayout and planSweep: the vault, what is open, a fee rate in sat for 1,000 vB → the transaction, or null',
    payouts: payouts.map(([name, from, claims, feeRate]) => ({
      name,
      ...(toJson({ vault: from, claims, headerHash: bytes32(9), feeRate }) as object),
      plan: planToJson(planPayout(params, from, claims, bytes32(9), feeRate)),
    })),
    sweeps: sweeps.map(([name, heights, feeRate]) => ({
      name,
      ...(toJson({ vault, deposits: heights.map(depositAt), height: 160, feeRate }) as object),
      plan: planToJson(planSweep(params, vault, heights.map(depositAt), 160, feeRate)),
    })),
  }
}
