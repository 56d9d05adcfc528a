import {
  type BatchContext,
  CELL_BYTES,
  encodeAccount,
  GENESIS_TOTALS,
  L1Facts,
  Ledger,
  networkId,
  type Origin,
  type Params,
  regtestRules,
  type SlotFields,
  sha256,
  type Transfer,
  ZERO_HASH,
} from '@kedge/core'

/** A ledger in memory with many accounts, for rows that need no network. */

const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill)

export const params: Params = {
  ...regtestRules,
  genesis: { txid: key(1), vout: 0 },
  vault: { txid: key(1), vout: 1, value: 10_000n },
  scanHeight: 1,
  keys: { anchor: key(1), slot: key(2), fees: key(3), watchers: [key(4)], threshold: 1 },
}

/** Of headers that nobody judges. */
export const noSlots: SlotFields = { nonceRoot: ZERO_HASH, prevSig: new Uint8Array(96) }

export const network = networkId(params)

/** Operations in a batch: regtest's cap. */
export const BATCH = params.caps.operations

const BALANCE = 1_000_000_000_000n
const PAGE_CELLS = 4096
const OWNER_AT = 24

/** Whose a cell is. */
export type OwnerOf = (cell: number) => Uint8Array

/** Each cell another's, by a key that lies on no curve. */
export const othersKeys: OwnerOf = (cell) => {
  const owner = new Uint8Array(32)
  new DataView(owner.buffer).setUint32(0, cell)
  return owner
}

export function largeLedger(count: number, ownerOf: OwnerOf = othersKeys): Ledger {
  const ledger = new Ledger()
  ledger.load(pagesOf(count, ownerOf), { ...GENESIS_TOTALS, count, supply: BALANCE * BigInt(count) })
  return ledger
}

function* pagesOf(count: number, ownerOf: OwnerOf): Generator<Uint8Array> {
  const cell = encodeAccount({ owner: ZERO_HASH, nonce: 0n, balance: BALANCE })
  const page = new Uint8Array(PAGE_CELLS * CELL_BYTES)
  for (let start = 0; start < count; start += PAGE_CELLS) {
    for (let at = 0; at < PAGE_CELLS; at++) {
      page.set(cell, at * CELL_BYTES)
      page.set(ownerOf(start + at), at * CELL_BYTES + OWNER_AT)
    }
    yield page
  }
}

/** Batches of transfers between random cells of `largeLedger(count, ownerOf)`, each with the nonce that it must have. */
export class Traffic {
  private readonly nonces: Uint32Array
  private readonly ownerOf: OwnerOf
  private readonly batches: Transfer[][] = []

  constructor(count: number, ownerOf: OwnerOf = othersKeys) {
    this.nonces = new Uint32Array(count)
    this.ownerOf = ownerOf
  }

  /** The same for everyone who asks for batch `at`. */
  batch(at: number): readonly Transfer[] {
    while (this.batches.length <= at) this.batches.push(Array.from({ length: BATCH }, () => this.next()))
    return this.batches[at] as Transfer[]
  }

  private next(): Transfer {
    const count = this.nonces.length
    const from = Math.floor(Math.random() * count)
    const other = Math.floor(Math.random() * (count - 1))
    const toCell = other < from ? other : other + 1
    const nonce = this.nonces[from] as number
    this.nonces[from] = nonce + 1
    return unsignedTransfer(from, BigInt(nonce), toCell, this.ownerOf(toCell))
  }
}

function unsignedTransfer(from: number, nonce: bigint, toCell: number, to: Uint8Array): Transfer {
  const fixed = { mayCreate: false, amount: 1000n, fee: params.fees.transfer, expiry: 0xffffffff, memo: ZERO_HASH }
  return { kind: 'transfer', from, nonce, to, toCell, ...fixed, signature: new Uint8Array(64) }
}

const facts = new L1Facts(params.scanHeight)
/** Of every batch here. */
export const origin: Origin = { height: params.scanHeight, hash: sha256(new Uint8Array(1)) }
facts.append(origin.height, origin.hash, { deposits: [], swept: [], refunded: [], forced: [], final: [] })

/** No deposit is due, and every signature counts as checked before. */
export const context: BatchContext = {
  ...{ params, network, facts, origin },
  originHeight: origin.height,
  isSigned: () => true,
}
