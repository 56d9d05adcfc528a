import { type Answer, answer, type RouteResponse } from '@kedge/api'
import { aliveSince, type Chain, challengesOf, finalHeight, isOpen, type Params, sweepDeadline } from '@kedge/core'
import { bondQueries } from './bond-queries.ts'
import { type Metric, printMetrics, type Sample } from './exposition.ts'
import { dueBy } from './forced-queries.ts'
import { healthQueries } from './health-queries.ts'
import type { LinkIndex } from './links.ts'
import type { QueryContext } from './query-context.ts'
import type { Responders } from './serve.ts'
import { cappedOf, pinnedOf, type Upkeep } from './upkeep.ts'
import { vaultQueries } from './vault-queries.ts'

/**
 * What an operator is to be warned of, as numbers. Each is what another route, or the rules in core, say; amounts are in
 * satoshis, times in blocks (negative once they are over), fee rates in satoshis per virtual byte.
 */
export function metricsQueries(context: QueryContext): Pick<Responders, 'metrics'> {
  const asked = { ...healthQueries(context), ...vaultQueries(context), ...bondQueries(context) }
  return {
    metrics: async () => {
      const [health, vault, bonds] = [await asked.health({}), await asked.vault({}), await asked.bonds({})]
      const { chain } = context.node.follower
      const { params } = context.node.options
      return answer(
        printMetrics([
          ...whenKnown(health, healthMetrics),
          ...chainMetrics(params, chain),
          ...linkMetrics(context.node.follower.links),
          ...duties(context),
          ...whenKnown(vault, vaultMetrics),
          ...whenKnown(bonds, bondMetrics),
          ...upkeepMetrics(chain, context.upkeep()),
          ...queueMetrics(context),
          ...processMetrics(),
        ]),
      )
    },
  }
}

/** A node that is far behind leaves out what it can't tell. */
function whenKnown<T>(said: Answer<T>, metrics: (value: T) => Metric[]): Metric[] {
  return said.ok ? metrics(said.value) : []
}

function healthMetrics(health: RouteResponse<'health'>): Metric[] {
  const { network, chain, role, version, engine, balance, mode } = health
  const modes = (['broken', 'active', 'closed'] as const).map((name) => ({
    labels: { mode: name },
    value: Number(mode === name),
  }))
  return [
    gauge('node_info', 'Always 1; what the node is stands in the labels.', {
      labels: { network, chain, role, version, engine },
      value: 1,
    }),
    gauge('bitcoin_height', 'Height of the best chain that the node’s bitcoind reports.', health.bitcoin.height),
    gauge('derived_height', 'Height up to which the node has read Bitcoin.', health.tip.height),
    gauge('head_batch', 'Number of the last live batch; 0 before the first.', health.head.number),
    gauge('final_batch', 'Number of the last final batch; 0 before the first.', health.final.number),
    gauge(
      'synced',
      '1 while the ledger stands at Bitcoin’s tip and no batch’s data are missing.',
      Number(health.synced),
    ),
    gauge(
      'chain_mode',
      '1 for the mode that the chain of batches is in: broken waits for a resume, closed is for good.',
      ...modes,
    ),
    gauge(
      'pending_batch',
      'Number of the first anchored batch that the node cannot check yet.',
      health.pending?.number,
    ),
    gauge('rejected_batch', 'Number of the batch that the node found faulty.', health.rejected?.number),
    gauge('peers', 'Peers that are connected.', health.peers),
    gauge(
      'solvency_margin_satoshis',
      'Bitcoin in the vault and in unspent deposits, less all that is owed: below 0, somebody loses.',
      balance && satoshis(balance.assets - balance.liabilities),
    ),
  ]
}

/** What Bitcoin alone says is about to end. */
function chainMetrics(params: Params, chain: Chain): Metric[] {
  const { height, line, mode } = chain
  const open = line.flatMap((batch) =>
    (['data', 'steps'] as const).flatMap((kind) => {
      const challenge = batch.challenges[kind]
      return challenge !== undefined && isOpen(challenge) ? [{ batch, kind, challenge }] : []
    }),
  )
  const undisputed = line.filter((batch) => !challengesOf(batch).some(isOpen))
  const ends = undisputed.map((batch) => finalHeight(params, batch) - height)
  const left = mode === 'closed' ? undefined : aliveSince(chain) + params.windows.exit - height
  return [
    gauge('live_batches', 'Batches that live and are not final.', line.length),
    gauge(
      'dispute_window_blocks',
      'Blocks until the next dispute window ends, unless a challenge is raised.',
      least(ends),
    ),
    gauge('open_challenges', 'Data challenges that nobody has answered in full.', open.length),
    gauge(
      'answer_blocks',
      'Blocks until a batch is void for want of an answer to a challenge of this kind.',
      ...open.map(({ batch, kind, challenge }) => ({
        labels: { batch: String(batch.number), kind },
        value: challenge.deadline - height,
      })),
    ),
    gauge('exit_blocks', 'Blocks without a live batch that are left until the chain of batches ends for good.', left),
  ]
}

function linkMetrics({ last, counts }: LinkIndex): Metric[] {
  const { voids, nulls } = counts
  const samples = Object.entries(voids).map(([cause, value]) => ({ labels: { cause }, value }))
  return [
    gauge('last_link', 'Number of the newest link of the anchor chain in a block.', last?.number ?? 0),
    gauge(
      'void_batches',
      'Batches on Bitcoin’s best chain that are void, by cause; ancestor: for one that they were built on.',
      ...samples,
    ),
    gauge('null_links', 'Links on Bitcoin’s best chain without effect.', nulls),
  ]
}

/** What the ledger owes to Bitcoin. */
function duties({ node }: QueryContext): Metric[] {
  const { follower, executor, options } = node
  const { params } = options
  const { chain, links, facts } = follower
  const forced = facts.allForcedAfter(executor.ledger.totals.forcedCursor)
  const deadlines = forced.map((entry) => dueBy(params, entry).lastWithout - chain.height)
  const since = executor.claims.payableSince({ params, chain, links, facts })
  const sweeps = facts.unspentDeposits().map((deposit) => sweepDeadline(params, deposit) - chain.height)
  return [
    gauge('executed_batch', 'Number of the last batch in the node’s ledger.', executor.head.number),
    gauge('forced_waiting', 'Operations forced on Bitcoin that no batch in the node’s ledger carries.', forced.length),
    gauge(
      'forced_deadline_blocks',
      'Blocks until no batch without the oldest of those can be anchored and live.',
      least(deadlines),
    ),
    gauge(
      'sweep_deadline_blocks',
      'Blocks until the oldest deposit that waits for a sweep can be swept no more (R − m).',
      least(sweeps.filter((left) => left > 0)),
    ),
    gauge(
      'missed_sweeps',
      'Deposits that wait for no sweep any more: it is too late for one, and their depositors have not taken them back.',
      sweeps.filter((left) => left <= 0).length,
    ),
    gauge(
      'payout_age_blocks',
      'Blocks since the oldest withdrawal that can be paid, and is not, could be.',
      since === undefined ? undefined : chain.height - since,
    ),
  ]
}

function vaultMetrics(vault: RouteResponse<'vault'>): Metric[] {
  const amounts: readonly (readonly [string, bigint, string])[] = [
    ['vault_satoshis', vault.head.sats * 1000n, 'In the vault’s one output.'],
    ['assets_satoshis', vault.assets, 'Bitcoin in the vault and in deposits that nobody has spent.'],
    ['liabilities_satoshis', vault.liabilities, 'What of that is owed.'],
    ['balances_satoshis', vault.balances, 'What all accounts hold.'],
    ['collected_fees_satoshis', vault.fees, 'Fees that are in nobody’s account yet.'],
    ['owed_satoshis', vault.owed, 'Withdrawn and not paid.'],
    ['uncredited_satoshis', vault.uncredited, 'Deposits that were swept and are not credited.'],
    ['unswept_satoshis', vault.unswept, 'Deposits that nobody has spent.'],
  ]
  return [
    ...amounts.map(([name, msat, help]) => gauge(name, help, satoshis(msat))),
    gauge('unpaid_claims', 'Withdrawals that the vault has not paid.', vault.unpaid),
  ]
}

function bondMetrics({ asked, bonds, height, covered, left }: RouteResponse<'bonds'>): Metric[] {
  if (!asked) return []
  const live = bonds.filter(({ end }) => end === undefined)
  const each = (value: (bond: (typeof live)[number]) => number | bigint): Sample[] =>
    live.map((bond) => ({ labels: { bond: bond.txid }, value: value(bond) }))
  return [
    gauge('bond_covered', '1 while a batch in the next block has a bond behind it.', Number(covered)),
    gauge('bond_cover_blocks', 'Blocks for which it will have one, as the bonds stand.', left),
    gauge('bond_satoshis', 'What a bond that has not ended is worth.', ...each(({ sats }) => sats)),
    gauge(
      'bond_return_blocks',
      'Blocks until such a bond may go home (T).',
      ...each(({ returnableAt }) => returnableAt - height),
    ),
  ]
}

/** What the node pays Bitcoin for. */
function upkeepMetrics({ height }: Chain, upkeep: Upkeep): Metric[] {
  const { purse, cap, waiting, anchors } = upkeep
  const kinds = [...new Set(waiting.map(({ kind }) => kind))]
  const byKind = (value: (some: typeof waiting) => number | undefined): Sample[] =>
    kinds.flatMap((kind) => sampleOf(value(waiting.filter((one) => one.kind === kind)), { kind }))
  const deadlines = (some: typeof waiting) =>
    some.flatMap(({ deadline }) => (deadline === undefined ? [] : [deadline - height]))
  const rates = (some: typeof waiting) => some.flatMap(({ feeRate }) => (feeRate === undefined ? [] : [feeRate]))
  return [
    gauge('purse_satoshis', 'Confirmed coins of the node that nothing is meant for yet.', purse),
    gauge('fee_rate_cap_satoshis_per_vbyte', 'Satoshis per virtual byte that the node pays at most.', cap),
    gauge(
      'waiting_transactions',
      'Transactions of the node that no block has taken, by kind; all waiting anchors count as one.',
      ...byKind((some) => some.length),
    ),
    gauge(
      'waiting_deadline_blocks',
      'Blocks until the most urgent of those counts no more.',
      ...byKind((some) => least(deadlines(some))),
    ),
    gauge(
      'waiting_satoshis_per_vbyte',
      'The lowest satoshis per virtual byte that one of those pays, with all it stands on.',
      ...byKind((some) => least(rates(some))),
    ),
    gauge(
      'capped_transactions',
      'Those of them that pay all that the cap allows and still wait. More than 0 is an alarm.',
      cappedOf(upkeep).length,
    ),
    gauge(
      'pinned_transactions',
      'Those of them that others’ children keep from being raised. More than 0 is an alarm.',
      pinnedOf(upkeep).length,
    ),
    gauge(
      'bond_evidence',
      '1 for each thing that this challenger holds against the sequencer, and slashes its bond for. Any is an alarm.',
      ...(upkeep.evidence ?? []).map(({ kind }) => ({ labels: { kind }, value: 1 })),
    ),
    gauge('unconfirmed_anchors', 'Anchors of this sequencer in bitcoind’s mempool.', anchors?.unconfirmed),
    gauge('anchor_backlog', 'Anchors of this sequencer that no block holds, sent or not.', anchors?.backlog),
    gauge(
      'unconfirmed_anchors_age_blocks',
      'Blocks that the oldest unconfirmed anchor has waited.',
      anchors?.oldestAge,
    ),
    gauge(
      'unconfirmed_anchors_satoshis_per_vbyte',
      'Satoshis per virtual byte that the unconfirmed anchors pay together.',
      anchors?.feeRate,
    ),
    gauge('anchor_link_satoshis', 'What the newest link holds to pay for anchors.', anchors?.linkValue),
  ]
}

function queueMetrics({ openBatch }: QueryContext): Metric[] {
  return [
    gauge(
      'open_batch_operations',
      'Operations in the batch that this sequencer builds.',
      openBatch && (openBatch()?.operations.length ?? 0),
    ),
  ]
}

/** Under the names that every exporter uses. */
function processMetrics(): Metric[] {
  const { user, system } = process.cpuUsage()
  return [
    {
      name: 'process_cpu_seconds_total',
      type: 'counter',
      help: 'Processor time of the node, in seconds.',
      samples: [{ value: (user + system) / 1e6 }],
    },
    {
      name: 'process_resident_memory_bytes',
      type: 'gauge',
      help: 'Memory of the node, in bytes.',
      samples: [{ value: process.memoryUsage.rss() }],
    },
  ]
}

/** A number stands for a sample without labels; undefined for one that there is not. */
function gauge(name: string, help: string, ...values: readonly (Sample | number | bigint | undefined)[]): Metric {
  const samples = values.flatMap((value) => (typeof value === 'object' ? [value] : sampleOf(value)))
  return { name: `kedge_${name}`, type: 'gauge', help, samples }
}

function sampleOf(value: number | bigint | undefined, labels?: Sample['labels']): Sample[] {
  return value === undefined ? [] : [{ value, ...(labels && { labels }) }]
}

/** Prometheus counts in floats anyway; up to 2^53 msat nothing is lost. */
function satoshis(msat: bigint): number {
  return Number(msat) / 1000
}

function least(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.min(...values)
}
