import { answerBlocks, type Chain, isOpen, type Params, publishesAll } from '@kedge/core'

/**
 * Where all data go to Bitcoin: whether those of one more batch, at their worst, can be there by its deadline beside those
 * that still wait. Nothing else holds a sequencer back, and what it can't publish in time is void.
 * @param waiting batches whose anchors no block holds yet
 */
export function mayPublishMore(params: Params, { line }: Pick<Chain, 'line'>, waiting: number): boolean {
  if (!publishesAll(params)) return true
  const open = line.filter(({ challenges: { data } }) => data !== undefined && isOpen(data)).length
  const blocks = answerBlocks(params, 'data')
  // The last block is kept in reserve: it may be full of others' transactions.
  return (waiting + open + 1) * blocks <= Math.max(blocks, params.windows.answer - 1)
}
