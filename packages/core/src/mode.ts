import type { Header } from './header.ts'
import type { Params } from './params.ts'

/**
 * How everybody can come by a batch's data (spec §9):
 * - `bitcoin`: they are published in Bitcoin's blocks, or the batch is void
 * - `challenge`: they travel between peers; who can't get them has them published on Bitcoin, or the batch is void
 * - `certified`: there are too many of them for that, so watchers vouch for them in the header
 */
export type DataMode = 'bitcoin' | 'challenge' | 'certified'

/** The one rule that decides a batch's mode. What a header may hold in its mode is `judgeHeader`'s business. */
export function dataModeOf({ data, caps }: Params, { opCount }: Pick<Header, 'opCount'>): DataMode {
  if (data?.kind === 'bitcoin') return 'bitcoin'
  return data?.kind === 'certified' && opCount > caps.operations ? 'certified' : 'challenge'
}

/** The most operations that a batch of any mode holds. */
export function mostOperations({ data, caps }: Params): number {
  return data?.kind === 'certified' ? data.operations : caps.operations
}
