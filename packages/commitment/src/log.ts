/** What a logger must have; pino's do. */
export interface CommitmentLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}
