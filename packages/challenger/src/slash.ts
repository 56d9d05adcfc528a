import { type Built, type Rpc, type Sent, sendTransaction } from '@kedge/bitcoin'
import {
  decodeFraudAnswer,
  encodeFraudRequest,
  type FraudClaim,
  type FraudSignature,
  fraudSighash,
  isSignedBy,
  type Reward,
  type SlashPlan,
  slashByFraud,
} from '@kedge/bond'
import { type Bond, type Chain, dataCarrier, equalBytes, type Outpoint, type Params, stakeOf } from '@kedge/core'

/** Slashing a bond with what Bitcoin shows of it, and evidence. */

/** A bond that counts and has not ended. */
export function findSlashableBond({ bonds }: Chain, outpoint: Outpoint): Bond | undefined {
  return bonds.find((bond) => isSlashable(bond) && isSame(bond.bond.outpoint, outpoint))
}

export function isSlashable({ slash, end }: Bond): boolean {
  return slash !== undefined && end === undefined
}

function isSame(one: Outpoint, other: Outpoint): boolean {
  return one.vout === other.vout && equalBytes(one.txid, other.txid)
}

/** @throws RangeError where the bond does not count */
export function planSlash(params: Params, bond: Bond, reward: Reward): SlashPlan {
  if (bond.slash === undefined) throw new RangeError('this bond does not count: nobody has what it takes to slash it')
  return { terms: stakeOf(params, bond), detector: 0, signature: bond.slash.signature, reward }
}

export type AskBond = (message: Uint8Array, signal: AbortSignal) => Promise<readonly Uint8Array[]>

export interface FraudVotes {
  readonly signatures: readonly FraudSignature[]
  /** Why watchers that answered did not sign. */
  readonly refusals: readonly string[]
}

/** Asks every watcher that is connected for its word that the sequencer lied. @throws as `ask` */
export async function collectVotes(
  ask: AskBond,
  { bond, claim, plan }: { readonly bond: Bond; readonly claim: FraudClaim; readonly plan: SlashPlan },
  signal: AbortSignal,
): Promise<FraudVotes> {
  const request = encodeFraudRequest({ bond: bond.bond.outpoint, claim, reward: plan.reward })
  const message = fraudSighash(plan)
  const { watchers } = plan.terms.keys
  const signatures: FraudSignature[] = []
  const refusals: string[] = []
  for (const bytes of await ask(request, signal)) {
    const answer = decodeFraudAnswer(bytes)
    if (answer === undefined || !watchers.some((key) => equalBytes(key, answer.watcher))) continue
    if (!answer.ok) refusals.push(answer.reason)
    else if (isSignedBy(answer.watcher, { message, signature: answer.signature })) signatures.push(answer)
  }
  return { signatures, refusals }
}

/** Undefined while fewer watchers than the threshold have signed. @throws BondSpendError */
export function slashWithVotes(plan: SlashPlan, { signatures }: FraudVotes): Built | undefined {
  const different = plan.terms.keys.watchers.filter((key) => signatures.some(({ watcher }) => equalBytes(watcher, key)))
  return different.length < plan.terms.keys.threshold ? undefined : slashByFraud(plan, signatures)
}

/** A slash burns what is forfeited, where the network has it burnt. */
export function sendSlash(rpc: Rpc, { terms }: SlashPlan, { raw }: Built): Promise<Sent> {
  const { script, value } = terms.forfeit
  return sendTransaction(rpc, raw, dataCarrier(script) === undefined ? 0n : value)
}
