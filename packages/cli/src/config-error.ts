/** What was configured can't be used; the message names what to mend. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}
