export { DamagedError, StoreError } from './errors.ts'
export {
  anchorTransactions,
  type BlockRecord,
  blocks,
  deltas,
  headers,
  type IntentRecord,
  intents,
  journal,
  type LinkRecord,
  links,
  lookups,
  marks,
  type NoticeRecord,
  notices,
  operations,
  type PublicationRecord,
  pages,
  publications,
  published,
  type SignedRecord,
  type StoredCoin,
  steps,
  type VerdictRecord,
  verdicts,
} from './records.ts'
export { type Range, Store } from './store.ts'
export { bytesKey, packed, rawValue, type Table, table, textKey, u32Key, type Write } from './table.ts'
