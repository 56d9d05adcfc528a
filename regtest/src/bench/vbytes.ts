import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Built,
  buildAnchor,
  buildPayment,
  buildVaultSpend,
  type CoinKey,
  coinKey,
  publicKeyOf,
  readMempoolEntry,
  sendTransaction,
} from '@kedge/bitcoin'
import {
  type BondTerms,
  bondRulesOf,
  completeReturn,
  type SlashPlan,
  signFraud,
  slashByEquivocation,
  slashByFraud,
  xOnlyKey,
} from '@kedge/bond'
import {
  anchorScript,
  batchAnchor,
  bondScriptsOf,
  type Claim,
  encodeMessage,
  networkId,
  type Params,
  planPayout,
  readFunding,
  regtestBond,
  regtestRules,
  stakeOf,
  vaultScript,
} from '@kedge/core'
import { Bitcoind } from '../bitcoind.ts'
import { cosignAlone } from './cosigned.ts'
import type { Measurement, Row } from './row.ts'

/** What Kedge's transactions take of Bitcoin's blocks, as bitcoind counts it once its mempool has them. */

const of = (seed: number): Uint8Array => new Uint8Array(32).fill(seed)
const SECRETS = { anchor: of(1), slot: of(2), bond: of(4), return: of(5), watchers: [11, 12, 13, 14, 15].map(of) }
const THRESHOLD = 3

const params: Params = {
  ...regtestRules,
  genesis: { txid: of(7), vout: 0 },
  vault: { txid: of(7), vout: 1, value: 10_000n },
  scanHeight: 101,
  keys: {
    anchor: publicKeyOf(SECRETS.anchor),
    slot: publicKeyOf(SECRETS.slot),
    fees: publicKeyOf(of(3)),
    watchers: SECRETS.watchers.map(publicKeyOf),
    threshold: THRESHOLD,
  },
  bond: { ...regtestBond, sequencer: publicKeyOf(SECRETS.bond), return: publicKeyOf(SECRETS.return) },
}

const CLAIMS = 20
const BOND = 1_000_000n
const RATE = 2

export function measureVbytes(): Measurement {
  return {
    rows: [
      ...['anchor.vbytes', 'bond.slash.vbytes', 'bond.fraud.vbytes', 'bond.return.vbytes'],
      ...['vault.payout.vbytes', `vault.payout.vbytes.${CLAIMS}`],
    ],
    does: `sends an anchor, bonds' ends and payouts, with ${THRESHOLD} of ${SECRETS.watchers.length} watchers, to a bitcoind`,
    async run() {
      const datadir = await mkdtemp(join(tmpdir(), 'kedge-vbytes-'))
      const bitcoind = new Bitcoind({ datadir, policy: 'default' })
      await bitcoind.start()
      try {
        return [await measureAnchor(bitcoind), ...(await measureBond(bitcoind)), ...(await measurePayouts(bitcoind))]
      } finally {
        await bitcoind.stop()
        await rm(datadir, { recursive: true })
      }
    },
  }
}

function rowOf(name: string, vbytes: number, limit: number): Row {
  return { name, unit: 'vB', value: vbytes, min: vbytes, max: vbytes, goal: { is: 'at most', value: limit } }
}

/** @throws Error when the mempool does not take it */
async function sizeOf(bitcoind: Bitcoind, { raw, txid }: Pick<Built, 'raw' | 'txid'>, burn = 0n): Promise<number> {
  const sent = await sendTransaction(bitcoind.rpc, raw, burn)
  const entry = await readMempoolEntry(bitcoind.rpc, txid)
  if (!sent.ok || entry === undefined) throw new Error(`bitcoind refuses it: ${sent.ok ? 'it is gone' : sent.detail}`)
  return entry.vsize
}

async function fundingOf(bitcoind: Bitcoind, value: bigint) {
  const key: CoinKey = coinKey(of(21))
  const coin = { outpoint: await bitcoind.fund(key.script, value), value, height: undefined, coinbase: false }
  return { key, coins: [coin], feeRate: RATE }
}

/** A batch's, which pays for itself. */
async function measureAnchor(bitcoind: Bitcoind): Promise<Row> {
  const link = { outpoint: await bitcoind.fund(anchorScript(params), 50_000n), value: 50_000n }
  const origin = { height: 100, hash: of(9) }
  const payload = encodeMessage(batchAnchor({ parent: of(0), origin, post: of(8) }, of(6)))
  const budget = { floor: 1_000n, refill: 30_000n }
  const funding = { key: coinKey(of(21)), coins: [], feeRate: RATE }
  const built = buildAnchor({ params, link, payload, budget, funding }, SECRETS.anchor)
  return rowOf('anchor.vbytes', await sizeOf(bitcoind, built), 200)
}

async function measureBond(bitcoind: Bitcoind): Promise<Row[]> {
  const [slashed, judged, returned] = [await newBond(bitcoind), await newBond(bitcoind), await newBond(bitcoind)]
  await bitcoind.mine(1 + regtestBond.returnDelay)
  const slash = slashByEquivocation(slashed.plan, SECRETS.slot)
  const fraud = slashByFraud(
    judged.plan,
    SECRETS.watchers.slice(0, THRESHOLD).map((secret) => signFraud(judged.plan, secret)),
  )
  const home = completeReturn(returned.terms, returned.signature, SECRETS.return)
  const burn = slashed.terms.forfeit.value
  return [
    rowOf('bond.slash.vbytes', await sizeOf(bitcoind, slash, burn), 300),
    rowOf('bond.fraud.vbytes', await sizeOf(bitcoind, fraud, burn), 300),
    rowOf('bond.return.vbytes', await sizeOf(bitcoind, home), 300),
  ]
}

/** Signed, then funded; in the mempool. */
async function newBond(bitcoind: Bitcoind) {
  const scripts = bondScriptsOf(params)
  const outputs = [
    { script: scripts.bond, value: BOND },
    { script: scripts.detector, value: 1_000n },
  ]
  const funding = buildPayment(outputs, await fundingOf(bitcoind, BOND + 100_000n))
  const funded = readFunding(params, { txid: funding.txid, outputs })
  if (funded === undefined) throw new Error('this is no bond of the network')
  const home = { script: coinKey(of(22)).script, value: BOND - 2_000n }
  const terms: BondTerms = { ...stakeOf(params, funded), network: networkId(params), returned: home }
  const watchers = SECRETS.watchers.map(xOnlyKey)
  const record = cosignAlone(terms, bondRulesOf(params), xOnlyKey(SECRETS.bond), watchers)
  const [signature] = record.slashes
  if (signature === undefined || record.returned === undefined) throw new Error('the bond is not signed')
  await sizeOf(bitcoind, funding)
  const reward = { script: home.script, feeRate: RATE }
  const plan: SlashPlan = { terms, detector: 0, signature, reward }
  return { terms, plan, signature: record.returned }
}

/** To taproot scripts, which are the longest. */
async function measurePayouts(bitcoind: Bitcoind): Promise<Row[]> {
  const limit = (claims: number) => 260 + 43 * claims
  return [
    rowOf('vault.payout.vbytes', await payout(bitcoind, 1), limit(1)),
    rowOf(`vault.payout.vbytes.${CLAIMS}`, await payout(bitcoind, CLAIMS), limit(CLAIMS)),
  ]
}

async function payout(bitcoind: Bitcoind, count: number): Promise<number> {
  const value = 1_000_000n
  const vault = {
    head: await bitcoind.fund(vaultScript(params), value),
    value,
    number: 0,
    paid: [],
  }
  const { script } = coinKey(of(23))
  const claims = Array.from(
    { length: count },
    (_, number): Claim => ({ number, script, amount: 2_000n, payoutFee: 1_000n }),
  )
  const plan = planPayout(params, vault, claims, of(6), BigInt(RATE * 1000))
  if (plan?.claims.length !== count) throw new Error('the payout does not pay all claims')
  return sizeOf(bitcoind, buildVaultSpend(params, plan, SECRETS.watchers.slice(0, THRESHOLD)))
}
