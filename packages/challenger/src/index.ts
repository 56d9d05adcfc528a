export { type ChallengerOptions, startChallenger } from './start.ts'
export { type Asking, decodeAnswer, encodeAsking, type VaultAnswer } from './vault-message.ts'
