import { findStaleness } from '@kedge/bond'
import { equalBytes } from '@kedge/core'
import { IN_AN_EMPTY_ONE } from '@kedge/storage'
import type { SlotRecord } from './slot-record.ts'
import type { TallyEntry } from './tally.ts'

/**
 * Why this data folder can't be the newest: the key was used since. A folder that knows of no slot is bound to nothing:
 * it begins with a resume, whose table nobody has seen.
 * @param newest of the folder's records
 */
export function findStaleData(
  newest: SlotRecord | undefined,
  last: TallyEntry | undefined,
): StaleDataError | undefined {
  if (newest === undefined) return undefined
  if (last === undefined) return new StaleDataError('the record of the last slot, beside the keys, is missing')
  if (newest.number > last.number) return undefined
  if (newest.number < last.number)
    return new StaleDataError(
      `the slots of batch ${last.number} are in use, and it knows of none behind batch ${newest.number}`,
    )
  if (!equalBytes(newest.salt, last.salt))
    return new StaleDataError(`batch ${newest.number} has another table of nonces in the record beside the keys`)
  const { next, last: message } = last.ticks
  const stale = next > 0 ? findStaleness(newest.ticks, next - 1, message) : undefined
  return (
    stale && new StaleDataError(`tick ${next - 1} of batch ${newest.number} is not the one it knows`, { cause: stale })
  )
}

/** To sign on would give the slot key away. */
export class StaleDataError extends Error {
  override readonly name = 'StaleDataError'

  constructor(why: string, options?: ErrorOptions) {
    super(
      `this data folder is not the newest of the slot key: ${why}. Nothing is signed: a second promise for one slot would ` +
        'give the key away, and the bond with it. Stop whatever else has the key, and restore the newest folder; only ' +
        `where that is lost, start with an empty one: ${IN_AN_EMPTY_ONE}`,
      options,
    )
  }
}
