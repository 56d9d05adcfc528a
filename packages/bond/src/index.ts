export { type SlotKey, slotKey, type TableId } from './nonce.ts'
export { isSlotSignature, type SlotClaim } from './slot-claim.ts'
export { extractSlotSecret, type SignedMessage, signSlot } from './slot-signature.ts'
export { type NoncePoint, type SlotTable, slotPath, slotTable, tableRoot, tickPoints } from './slot-table.ts'
