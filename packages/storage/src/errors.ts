/** A folder that can't be used, or a record in it that can't be read. The message says what to do. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
}
