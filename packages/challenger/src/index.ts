export { startChallenger } from './start.ts'
