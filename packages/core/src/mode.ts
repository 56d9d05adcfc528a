import type { Header } from './header.ts'
import type { Params } from './params.ts'

/**
 * How everybody can come by a batch's data (spec §9):
 * - `bitcoin`: they are published in Bitcoin's blocks, or the batch is void
 * - `challenge`: they travel between peers; who can't get them has them published on Bitcoin, or the batch is void
 * - `certified`: there are too many of them for that, so watchers vouch for them in the header
 */
export type DataMode = 'bitcoin' | 'challenge' | 'certified'

/** Whether a batch's data are due on Bitcoin before anybody knows its header: they are all due. */
export function publishesAll({ data }: Pick<Params, 'data'>): boolean {
  return data?.kind === 'bitcoin'
}

/** The one rule that decides a batch's mode. What a header may hold in its mode is `judgeHeader`'s business. */
export function dataModeOf(params: Params, { opCount }: Pick<Header, 'opCount'>): DataMode {
  if (publishesAll(params)) return 'bitcoin'
  const { data, caps } = params
  return data?.kind === 'certified' && opCount > caps.operations ? 'certified' : 'challenge'
}

/** The most operations that a batch of any mode holds. */
export function mostOperations({ data, caps }: Params): number {
  return data?.kind === 'certified' ? data.operations : caps.operations
}
