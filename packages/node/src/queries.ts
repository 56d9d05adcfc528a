import { accountQueries } from './account-queries.ts'
import { batchQueries } from './batch-queries.ts'
import { blockHeaderQueries } from './block-header-queries.ts'
import { bondQueries } from './bond-queries.ts'
import { forcedQueries } from './forced-queries.ts'
import { healthQueries } from './health-queries.ts'
import { metricsQueries } from './metrics.ts'
import { paymentQueries } from './payment-queries.ts'
import { contextOf, type QueryParts } from './query-context.ts'
import type { Responders } from './serve.ts'
import { submitQueries } from './submit-queries.ts'
import { vaultQueries } from './vault-queries.ts'
import { withdrawalQueries } from './withdrawal-queries.ts'

/** What answers every route of the API, at a node of any role. */
export function respondersOf(parts: QueryParts): Responders {
  const context = contextOf(parts)
  return {
    ...healthQueries(context),
    ...metricsQueries(context),
    ...accountQueries(context),
    ...submitQueries(context),
    ...paymentQueries(context),
    ...withdrawalQueries(context),
    ...vaultQueries(context),
    ...forcedQueries(context),
    ...batchQueries(context),
    ...blockHeaderQueries(context),
    ...bondQueries(context),
  }
}
