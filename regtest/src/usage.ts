/** What was typed can't be done; the message says what is wrong. Exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Reads the command line. @throws UsageError where `read` finds it wrong */
export function readUsage<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof TypeError || cause instanceof RangeError) throw new UsageError(cause.message, { cause })
    throw cause
  }
}
