/** A folder that can't be used, or a record in it that can't be read. The message says what to do. */
export class StoreError extends Error {
  override readonly name: string = 'StoreError'
}

/** What an empty folder means: it is safe for a slot key, but knows of no promise, and promises that are in no anchor are broken then. */
export const IN_AN_EMPTY_ONE =
  'a node that verifies fills it again from Bitcoin and its peers; a sequencer goes on in it with a resume and a fresh ' +
  'table, and breaks what it promised and did not anchor, at the price of its bond'

/** What a folder holds can't be read, or contradicts itself: a disk failed, or something else wrote to it. */
export class DamagedError extends StoreError {
  override readonly name = 'DamagedError'

  constructor(what: string, options?: ErrorOptions) {
    super(
      `${what}: the data folder is damaged. Restore it from a backup, or start with an empty one: ${IN_AN_EMPTY_ONE}`,
      options,
    )
  }
}
