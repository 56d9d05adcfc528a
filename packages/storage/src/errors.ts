/** A folder that can't be used, or a record in it that can't be read. The message says what to do. */
export class StoreError extends Error {
  override readonly name: string = 'StoreError'
}

/** What a folder holds can't be read, or contradicts itself: a disk failed, or something else wrote to it. */
export class DamagedError extends StoreError {
  override readonly name = 'DamagedError'

  constructor(what: string, options?: ErrorOptions) {
    super(
      `${what}: the data folder is damaged. Restore it from a backup, or start with an empty one: the node fills it again from Bitcoin and its peers`,
      options,
    )
  }
}
