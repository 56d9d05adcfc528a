import { createClient } from '@kedge/api'
import { type Built, estimateFeeRate, parseAddress, printHash, type Rpc } from '@kedge/bitcoin'
import { extractSlotSecret, type FraudClaim, type SlashPlan, slashByEquivocation } from '@kedge/bond'
import { collectVotes, planSlash, sendSlash, slashWithVotes } from '@kedge/challenger'
import { type Bond, fromHex, isSlashSigned, type Params, reverseBytes, stakeOf } from '@kedge/core'
import { FALLBACK_FEE_RATE } from '@kedge/node'
import type { Command } from 'commander'
import { printSats } from '../amount.ts'
import { agree } from '../bond-command.ts'
import type { SlashOptions } from '../commands/bond/slash.ts'
import { ConfigError } from '../config-error.ts'
import { readParams } from '../node-options.ts'
import { configOf, type Environment } from '../options.ts'
import { answer } from '../output.ts'
import { readPromise } from '../promise-file.ts'
import { rpcAt, type SlashConfig, slashSettings } from '../settings.ts'
import { readSlotSignature } from '../slot-signature-file.ts'
import { withBondHost } from './host.ts'
import { bondOf } from './operator.ts'

export async function slashBond(command: Command, environment: Environment, options: SlashOptions): Promise<void> {
  const config = configOf(command, slashSettings, environment)
  const params = readParams(config.params)
  bondOf(params, config.params)
  const rpc = rpcAt(config['bitcoin.url'], config)
  const bond = await findBond(params, config)
  const plan = planSlash(params, bond, await rewardOf(params, rpc, config, options.to))
  const built = await build(params, config, bond, plan, options)
  await agree(command, consequencesOf(plan, built))
  const sent = await sendSlash(rpc, plan, built)
  if (!sent.ok) throw new ConfigError(`bitcoind refuses the slash: ${sent.detail}`)
  const result = { txid: printHash(built.txid), forfeited: plan.terms.forfeit.value, reward: rewardIn(plan, built) }
  answer(command, result, () => [
    `${printSats(result.forfeited)} of the bond are forfeited, ${printSats(result.reward)} go to ${options.to}: transaction ${result.txid}`,
    'Others may be after the same reward: it is yours once the transaction is mined.',
  ])
}

/** The node says which bonds there are; whether all co-signers signed the slash is checked here, so it can't mislead. */
async function findBond(params: Params, { node }: SlashConfig): Promise<Bond> {
  const { bonds } = await createClient(node).bonds({})
  const standing = bonds.flatMap(({ txid, sats, detectorSats, fundedAt, slash, end }): Bond[] => {
    if (slash === undefined || end !== undefined) return []
    const outpoint = (vout: number) => ({ txid: reverseBytes(fromHex(txid)), vout })
    const bond = { outpoint: outpoint(0), value: sats }
    const detectors = [{ outpoint: outpoint(1), value: detectorSats }]
    const signature = fromHex(slash.signature)
    const isSigned = isSlashSigned(stakeOf(params, { bond, detectors }), 0, signature)
    return isSigned ? [{ bond, detectors, fundedAt, slash: { signature, height: slash.height } }] : []
  })
  const [newest] = standing
  if (newest === undefined) throw new ConfigError('no bond stands that could be slashed')
  return newest
}

async function rewardOf(params: Params, rpc: Rpc, config: SlashConfig, to: string) {
  const parsed = parseAddress(to, params.chain)
  if (!parsed.ok) throw new ConfigError(`${to}: no address of ${params.chain}: ${parsed.reason}`)
  const feeRate = Math.min(await estimateFeeRate(rpc, 1, FALLBACK_FEE_RATE), config['max-fee-rate'])
  return { script: parsed.script, feeRate }
}

async function build(params: Params, config: SlashConfig, bond: Bond, plan: SlashPlan, options: SlashOptions) {
  const { evidence = [], batch, promise } = options
  const given = [evidence.length > 0, batch !== undefined, promise !== undefined].filter(Boolean).length
  if (given !== 1 || (evidence.length !== 0 && evidence.length !== 2))
    throw new ConfigError('give two files as --evidence, or one as --promise, or a batch as --batch')
  if (evidence.length === 2) return buildByKey(params, plan, evidence)
  const shown = promise === undefined ? undefined : await readPromise(params, config.node, promise)
  const claim: FraudClaim = shown ? { kind: 'promise', shown } : { kind: 'batch', number: batch ?? 0 }
  return buildByVotes(params, config, bond, plan, claim)
}

/** Two messages with one nonce give the slot key's secret to everybody. */
function buildByKey(params: Params, plan: SlashPlan, files: readonly string[]): Built {
  const [one, other] = files.map((file) => readSlotSignature(params, file))
  const secret = one && other && extractSlotSecret(params.keys.slot, one, other)
  if (secret === undefined)
    throw new ConfigError(
      `${files.join(', ')}: these are not two messages that the slot key signed for one slot: they prove nothing`,
    )
  return slashByEquivocation(plan, secret)
}

/** For the watchers' answers. */
const VOTE_MS = 15_000

async function buildByVotes(params: Params, config: SlashConfig, bond: Bond, plan: SlashPlan, claim: FraudClaim) {
  const votes = await withBondHost(params, config['p2p.bootstrap'], (host) =>
    collectVotes(
      (message, signal) => host.askBond(message, signal),
      { bond, claim, plan },
      AbortSignal.timeout(VOTE_MS),
    ),
  )
  const built = slashWithVotes(plan, votes)
  if (built !== undefined) return built
  const { signatures, refusals } = votes
  const why = refusals.length === 0 ? '' : `; the others say: ${[...new Set(refusals)].join(', ')}`
  throw new ConfigError(`${signatures.length} watchers signed, and it takes ${params.keys.threshold}${why}`)
}

function consequencesOf(plan: SlashPlan, built: Built): string[] {
  return [
    `This slashes a bond of ${printSats(plan.terms.bond.value)}: ${printSats(plan.terms.forfeit.value)} are forfeited,`,
    `${printSats(rewardIn(plan, built))} are the reward, ${printSats(built.fee)} the fee. It can't be undone.`,
  ]
}

function rewardIn({ terms }: SlashPlan, { fee }: Built): bigint {
  const detector = terms.detectors[0]?.value ?? 0n
  return terms.bond.value + detector - terms.forfeit.value - fee
}
