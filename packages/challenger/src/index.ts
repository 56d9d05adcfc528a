export { type ChallengerOptions, startChallenger } from './start.ts'
