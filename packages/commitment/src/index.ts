export { AnchorKeeper, type AnchorOutcome, type AnchorParts, type AnchorStatus, MAX_UNCONFIRMED } from './anchors.ts'
export {
  descending,
  ESTIMATE_BLOCKS,
  type FeePolicy,
  feeRate,
  LEAST_RATE,
  leastRaise,
  replacementFee,
} from './fees.ts'
export type { CommitmentLog } from './log.ts'
export { answerParts } from './parts.ts'
export type { PublicationRequest } from './publication.ts'
export { Publisher, type PublisherParts } from './publish.ts'
export { Purse } from './purse.ts'
export type { Waiting } from './waiting.ts'
