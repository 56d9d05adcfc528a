import { concatBytes, encodeTransfer, TRANSFER_BYTES, toHex } from '@kedge/core'
import type { Verifier } from '@kedge/signatures'
import { describe, expect, it } from 'vitest'
import type { Intake, IntakeResult, Submitter } from '../src/intake.ts'
import { Screen } from '../src/screen.ts'
import { answerSubmit } from '../src/submit-answer.ts'
import { clientOf, passingIntake } from './client.ts'
import { keyOf } from './ground.ts'
import {
  ALICE,
  BOB,
  executed,
  handlersOf,
  node,
  one,
  rollup,
  rowsOf,
  scripted,
  transfer,
  useSubmitting,
} from './submitting.ts'

useSubmitting()

describe('a node that passes transfers on, before it does', () => {
  /** What the sequencer is asked, of one that takes all; and the intake that asks it. */
  function passing(intake: Intake = scripted(() => 'take')) {
    const handlers = handlersOf(intake)
    const asked: number[] = []
    const submit = (rows: Uint8Array) => {
      asked.push(rows.length / TRANSFER_BYTES)
      return answerSubmit(handlers, rows)
    }
    return { asked, intake: passingIntake(node, { submit }) }
  }

  function forged(nonce: number): Uint8Array {
    const bytes = encodeTransfer(transfer(nonce))
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1
    return bytes
  }

  const ofCell = (cell: number) =>
    encodeTransfer(rollup.signed(ALICE, keyOf(BOB), { from: cell, toCell: 1, amount: 1n, nonce: 0n }))

  const submitTo = (intake: Intake, rows: readonly Uint8Array[], from?: Submitter) =>
    intake.submit({ kind: 'transfer', rows: concatBytes(...rows) }, from)

  const told = (results: readonly IntakeResult[]) => results.map((result) => (result.ok ? 'ok' : result.code))

  it('answers itself what is surely wrong', async () => {
    const { asked, intake } = passing()
    const torn = encodeTransfer(transfer(2))
    torn[0] = 9
    const used = encodeTransfer(rollup.signed(ALICE, keyOf(BOB), { from: 0, toCell: 1, amount: 6n }))
    const sent = [forged(1), rowsOf(2), torn, used, encodeTransfer(executed), rowsOf(3)]
    const results = await submitTo(intake, sent)
    expect(told(results)).toEqual(['bad-signature', 'ok', 'undecodable', 'nonce-used', 'nonce-used', 'ok'])
    expect(asked).toEqual([2])
    const client = clientOf(handlersOf(intake, 'challenger'))
    const again = await client.submitTransfer({ transfer: toHex(encodeTransfer(executed)) })
    expect(again).toEqual({ id: rollup.idOf(executed), rung: 'anchored' })
    expect(told(await submitTo(intake, Array(100).fill(forged(1))))).toEqual(Array(100).fill('bad-signature'))
    expect(asked).toEqual([2])
  })

  it('leaves cells that it does not know to the sequencer, a few at a time', async () => {
    const { asked, intake } = passing()
    const { count } = node.queried.executor.ledger.tree
    const many = Array.from({ length: 20 }, () => ofCell(count))
    expect(told(await submitTo(intake, many))).toEqual([...Array(16).fill('ok'), ...Array(4).fill('overloaded')])
    expect(asked).toEqual([16])
  })

  it('and none for who sent such in vain, nor more than one at a time for who comes from there', async () => {
    const { asked, intake } = passing(scripted(() => ({ ok: false, code: 'unknown-cell' })))
    const [address, connection] = ['192.0.2.1', { destroyed: false }]
    const many = Array.from({ length: 4 }, () => ofCell(1000))
    expect(told(await submitTo(intake, many, { address, connection }))).toEqual(Array(4).fill('unknown-cell'))
    expect(told(await submitTo(intake, many, { address, connection }))).toEqual(Array(4).fill('overloaded'))
    const next = { address, connection: { destroyed: false } }
    expect(told(await submitTo(intake, many, next))).toEqual(['unknown-cell', ...Array(3).fill('overloaded')])
    expect(asked).toEqual([4, 1])
  })

  it('one again that was passed on gets its receipt again', async () => {
    const script = scripted(() => 'take')
    const repeating: Intake = {
      submit: async (submission) => {
        const results = await script.submit(submission)
        return script.asked.length > 1 ? results.map(() => ({ ok: true, repeated: true })) : results
      },
      find: (id) => script.find(id),
    }
    const client = clientOf(handlersOf(passing(repeating).intake, 'challenger'))
    const first = await client.submitTransfer(one(1))
    const { operation } = first.acknowledgement ?? {}
    expect(operation).toBe(one(1).transfer)
    expect(await client.submitTransfer(one(1))).toMatchObject({ ...first, acknowledgement: { operation } })
  })

  it('is let in by the sequencer beside those whose signatures are checked one request at a time', async () => {
    const { verifier, executor } = node.queried
    const screen = new Screen({ verifier: verifier as Verifier, tree: executor.ledger.tree })
    const done: string[] = []
    const refuse = async (name: string, rows: readonly Uint8Array[], from: Submitter) => {
      const results: IntakeResult[] = new Array(rows.length)
      await screen.check({ kind: 'transfer', rows: concatBytes(...rows) }, results, from, (checked) => {
        for (const row of checked) results[row] = { ok: false, code: 'bad-signature' }
        return Promise.resolve()
      })
      done.push(name)
    }
    const gateway = { address: 'gateway' }
    const attacker = { address: 'attacker', connection: { destroyed: false } }
    const many: Uint8Array[] = Array(200).fill(forged(1))
    await refuse('blamed', many, gateway)
    await refuse('blamed', many, attacker)
    await Promise.all([
      refuse('first', many, attacker),
      refuse('second', many, attacker),
      refuse('single', [forged(1)], gateway),
    ])
    expect(done.slice(2)).toEqual(['first', 'single', 'second'])
  })
})
