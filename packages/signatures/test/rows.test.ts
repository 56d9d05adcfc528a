import {
  decodeSigned,
  decodeTransfer,
  operationId,
  signedMessage,
  TRANSFER_BYTES,
  taggedHash,
  toHex,
  transferMessage,
  WITHDRAWAL_BYTES,
} from '@kedge/core'
import { describe, expect, test } from 'vitest'
import { createRowChecker } from '../src/check.ts'
import { createDigests } from '../src/digests.ts'
import { engineOf, nobleEngine } from '../src/engine.ts'
import {
  areAllJudged,
  clearStatuses,
  FROM_AT,
  ID_AT,
  isRowValid,
  OPERATION_AT,
  OWNER_AT,
  ROW_BYTES,
  readRowId,
  SIGNATURE_AT,
  STATUS_AT,
  TO_CELL_AT,
  writeRow,
} from '../src/rows.ts'
import { isSigned } from '../src/signed.ts'
import { bytesFrom, makeTransfer, makeWithdrawal, NETWORK } from './transfers.ts'

describe('the layout', () => {
  test('leaves room for everything, in order and without overlap', () => {
    expect(OWNER_AT + 32).toBe(OPERATION_AT)
    expect(OPERATION_AT + TRANSFER_BYTES).toBe(ID_AT)
    expect(ID_AT + 32).toBe(STATUS_AT)
    expect(STATUS_AT).toBeLessThan(ROW_BYTES)
  })

  test('a row that is not there, or bytes that do not fit, are refused', () => {
    const rows = new Uint8Array(2 * ROW_BYTES)
    const { owner, bytes } = makeTransfer('layout')
    expect(() => writeRow(rows, 2, owner, bytes)).toThrow('no row 2')
    expect(() => writeRow(rows, -1, owner, bytes)).toThrow('no row -1')
    expect(() => writeRow(rows, 0.5, owner, bytes)).toThrow('no row 0.5')
    expect(() => writeRow(rows, 0, owner.subarray(1), bytes)).toThrow(RangeError)
    expect(() => writeRow(rows, 0, owner, bytes.subarray(1))).toThrow(RangeError)
    expect(() => isRowValid(rows, 2)).toThrow('no row 2')
    expect(rows.every((byte) => byte === 0)).toBe(true)
  })

  test('a row reads as valid only by its own status', () => {
    const rows = new Uint8Array(3 * ROW_BYTES).fill(255)
    clearStatuses(rows, 0, 3)
    rows[ROW_BYTES + STATUS_AT] = 1
    expect([0, 1, 2].map((row) => isRowValid(rows, row))).toEqual([false, true, false])
    expect([areAllJudged(rows, 0, 3), areAllJudged(rows, 1, 1)]).toEqual([false, true])
    rows[STATUS_AT] = 3
    expect([isRowValid(rows, 0), areAllJudged(rows, 0, 2)]).toEqual([false, false])
  })
})

describe('the digests', () => {
  test('are core’s tagged hashes of the same bytes', () => {
    const digests = createDigests(NETWORK).transfer
    for (let round = 0; round < 50; round++) {
      const rows = bytesFrom(`digests/${round}`, 300)
      const transfer = rows.subarray(round, round + TRANSFER_BYTES)
      const output = Buffer.alloc(100)
      digests.writeMessage(rows, round, output, 3)
      digests.writeId(rows, round, output, 50)
      const signed = [NETWORK, transfer.subarray(1, 49), transfer.subarray(57, 110)]
      expect(toHex(output.subarray(3, 35))).toBe(toHex(taggedHash('kedge/transfer/1', Buffer.concat(signed))))
      expect(toHex(output.subarray(50, 82))).toBe(toHex(taggedHash('kedge/op', transfer)))
    }
  })

  test('are the hashes that core computes from the decoded transfer', () => {
    const digests = createDigests(NETWORK).transfer
    for (let n = 0; n < 20; n++) {
      const { bytes } = makeTransfer(`digests/${n}`)
      const transfer = decodeTransfer(bytes)
      if (transfer === undefined) throw new Error('the transfer decodes')
      const output = Buffer.alloc(64)
      digests.writeMessage(bytes, 0, output, 0)
      digests.writeId(bytes, 0, output, 32)
      expect(output.toString('hex')).toBe(toHex(transferMessage(NETWORK, transfer)) + toHex(operationId(bytes)))
    }
  })

  test('of a withdrawal are core’s too', () => {
    const digests = createDigests(NETWORK).withdrawal
    for (let n = 0; n < 20; n++) {
      const { bytes } = makeWithdrawal(`digests/${n}`)
      const withdrawal = decodeSigned(bytes)
      if (withdrawal === undefined) throw new Error('the withdrawal decodes')
      const output = Buffer.alloc(64)
      digests.writeMessage(concatAt(7, bytes), 7, output, 0)
      digests.writeId(concatAt(7, bytes), 7, output, 32)
      expect(output.toString('hex')).toBe(toHex(signedMessage(NETWORK, withdrawal)) + toHex(operationId(bytes)))
    }
  })

  test('a network’s id has 32 bytes', () => {
    expect(() => createDigests(new Uint8Array(31))).toThrow(RangeError)
  })
})

const concatAt = (at: number, bytes: Uint8Array) => Buffer.concat([Buffer.alloc(at), bytes])

describe('isSigned', () => {
  const { owner, bytes } = makeTransfer('single')

  test('accepts what was signed for this network by this key', () => {
    expect(isSigned(NETWORK, owner, bytes)).toBe(true)
    expect(isSigned(bytesFrom('another network', 32), owner, bytes)).toBe(false)
    expect(isSigned(NETWORK, makeTransfer('other').owner, bytes)).toBe(false)
  })

  test('every byte counts but the recipient’s cell number, which the sequencer fills in', () => {
    for (let at = 0; at < TRANSFER_BYTES; at++) {
      const changed = bytes.slice()
      changed[at] = (changed[at] ?? 0) ^ 1
      expect([at, isSigned(NETWORK, owner, changed)]).toEqual([at, at >= TO_CELL_AT && at < TO_CELL_AT + 6])
    }
    expect([FROM_AT, TO_CELL_AT, SIGNATURE_AT]).toEqual([1, 49, 110])
  })

  test('bytes of another length are not signed', () => {
    for (const wrong of [bytes.subarray(1), bytes.subarray(0, 173), new Uint8Array(0), Buffer.concat([bytes, bytes])]) {
      expect(isSigned(NETWORK, owner, wrong)).toBe(false)
    }
    for (const wrong of [owner.subarray(1), new Uint8Array(0), Buffer.concat([owner, owner])]) {
      expect(isSigned(NETWORK, wrong, bytes)).toBe(false)
    }
  })
})

describe('the row checker', () => {
  test.each(['tiny-secp256k1', '@noble/curves'] as const)(
    '%s: writes ids and statuses of its run and nothing else',
    (name) => {
      const memory = new Uint8Array(new SharedArrayBuffer(5 * ROW_BYTES))
      const transfers = [0, 1, 2, 3, 4].map((n) => makeTransfer(`checker/${n}`))
      for (const [row, transfer] of transfers.entries()) writeRow(memory, row, transfer.owner, transfer.bytes)
      memory[2 * ROW_BYTES + OPERATION_AT + 60] = 255
      const before = memory.slice()
      createRowChecker(engineOf(name), NETWORK, memory, 4)(1, 3)
      expect([0, 1, 2, 3, 4].map((row) => memory[row * ROW_BYTES + STATUS_AT])).toEqual([0, 1, 2, 1, 0])
      for (let row = 0; row < 5; row++) {
        const at = row * ROW_BYTES
        const id = taggedHash('kedge/op', memory.slice(at + OPERATION_AT, at + ID_AT))
        expect(toHex(readRowId(memory, row))).toBe(row >= 1 && row <= 3 ? toHex(id) : '00'.repeat(32))
        memory.fill(0, at + ID_AT, at + STATUS_AT + 1)
      }
      expect(memory).toEqual(before)
    },
  )

  test('transfers and withdrawals stand beside each other; every byte of a withdrawal counts', () => {
    const memory = new Uint8Array(2 * ROW_BYTES)
    const [transfer, withdrawal] = [makeTransfer('beside'), makeWithdrawal('beside')]
    const check = createRowChecker(engineOf('tiny-secp256k1'), NETWORK, memory, 2)
    for (let at = -1; at < WITHDRAWAL_BYTES; at++) {
      const changed = withdrawal.bytes.slice()
      if (at >= 0) changed[at] = (changed[at] as number) ^ 1
      memory.fill(0)
      writeRow(memory, 0, transfer.owner, transfer.bytes)
      writeRow(memory, 1, withdrawal.owner, changed)
      check(0, 2)
      expect([at, isRowValid(memory, 0), isRowValid(memory, 1)]).toEqual([at, true, at < 0])
      expect(toHex(readRowId(memory, 1))).toBe(toHex(operationId(changed)))
    }
  })

  test('an operation of another kind is not valid, whatever its signature', () => {
    const memory = new Uint8Array(ROW_BYTES)
    const { owner, bytes } = makeTransfer('kind')
    const check = createRowChecker(nobleEngine, NETWORK, memory, 1)
    writeRow(memory, 0, owner, bytes)
    check(0, 1)
    expect(isRowValid(memory, 0)).toBe(true)
    memory[OPERATION_AT] = 2
    check(0, 1)
    expect(isRowValid(memory, 0)).toBe(false)
  })
})
