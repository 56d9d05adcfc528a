export { accuse, proveRejection } from './accuse.ts'
export { Answerer } from './answer.ts'
export { ChallengeTurns } from './challenge-turns.ts'
export { type BatchBody, BatchData, type FetchData } from './data.ts'
export { Executor, type Rejection } from './execute.ts'
export { Follower, type FollowStep, TooShortChainError } from './follow.ts'
export { fastestHasher } from './hasher.ts'
export { treeOf } from './held.ts'
export {
  droppedMark,
  type Intake,
  type IntakeResult,
  rowAt,
  rowCount,
  type Submission,
  type Submitter,
  type Taken,
} from './intake.ts'
export { keptOperations } from './kept-operations.ts'
export { type BatchLink, LinkIndex } from './links.ts'
export type { Pending } from './missing.ts'
export { closeNode, type NodeParts, openNode, type Role } from './node.ts'
export { FALLBACK_FEE_RATE, type NodeOptions, type RunningNode } from './options.ts'
export { OwnerIndex } from './owners.ts'
export { PassingIntake } from './pass-on.ts'
export { checkSignatures } from './presign.ts'
export { respondersOf } from './queries.ts'
export { orClose, startNode } from './running.ts'
export { type Results, Screen } from './screen.ts'
export { isTickSigned, SeenTicks, type WatchTick } from './seen-ticks.ts'
export { type Responders, type ServedApi, serveApi } from './serve.ts'
export type { Head } from './snapshot.ts'
export { solvencyOf } from './solvency.ts'
export { explainStart } from './start-fault.ts'
export type { StepThread } from './step-thread.ts'
export { answerSubmit } from './submit-answer.ts'
export { Turns } from './turns.ts'
export type { HeldEvidence, Upkeep } from './upkeep.ts'
