import type { SubmittedRows } from '@kedge/api'
import {
  concatBytes,
  decodeReceipt,
  encodeSigned,
  encodeTransfer,
  fromHex,
  operationId,
  receiptHolds,
  TRANSFER_BYTES,
  toHex,
} from '@kedge/core'
import { createHost, type Host, MAX_SUBMISSION_RESPONSE } from '@kedge/p2p'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import type { Intake, IntakeResult } from '../src/intake.ts'
import { answerSubmit, readAnswer } from '../src/submit-answer.ts'
import { clientOf, failures, passingIntake } from './client.ts'
import { secretOf } from './ground.ts'
import {
  ALICE,
  executed,
  handlersOf,
  node,
  one,
  rollup,
  rowsOf,
  scripted,
  sentOf,
  transfer,
  useSubmitting,
} from './submitting.ts'

useSubmitting()

describe('one transfer', () => {
  it('is acknowledged with its receipt', async () => {
    const client = clientOf(handlersOf(scripted(() => 'take')))
    const submitted = await client.submitTransfer(one(1))
    const { acknowledgement } = submitted
    expect(submitted).toMatchObject({ id: rollup.idOf(transfer(1)), rung: 'sequenced' })
    const receipt = acknowledgement && decodeReceipt(fromHex(acknowledgement.receipt))
    expect(receipt && receiptHolds(receipt, operationId(encodeTransfer(transfer(1))))).toBe(true)
  })

  it('that does not decode is refused, and not passed on', async () => {
    const bytes = encodeTransfer(transfer(1))
    bytes[0] = 9
    const refusal = { code: 'undecodable' }
    const client = clientOf(handlersOf(scripted(() => 'take')))
    await expect(client.submitTransfer({ transfer: toHex(bytes) })).rejects.toMatchObject(refusal)
    const asked: Uint8Array[] = []
    const submit = (rows: Uint8Array) => Promise.reject(new Error(`asked with ${asked.push(rows)}`))
    const passing = clientOf(handlersOf(passingIntake(node, { submit }), 'challenger'))
    await expect(passing.submitTransfer({ transfer: toHex(bytes) })).rejects.toMatchObject(refusal)
    expect(asked).toEqual([])
  })

  it.each([
    'unknown-cell',
    'insufficient-funds',
    'bad-signature',
    'expired',
    'nonce-ahead',
    'syncing',
    'chain-broken',
    'batch-rejected',
    'no-sequencer',
  ] as const)('that is refused for %s says so', async (code) => {
    const client = clientOf(handlersOf(scripted(() => ({ ok: false, code }))))
    await expect(client.submitTransfer(one(1))).rejects.toMatchObject({ code })
  })

  it('is to be tried again after a while where there is too much to do', async () => {
    const client = clientOf(handlersOf(scripted(() => ({ ok: false, code: 'overloaded' }))))
    await expect(client.submitTransfer(one(1))).rejects.toMatchObject({
      code: 'overloaded',
      details: { retryAfterMs: 1000 },
    })
  })

  it('submitted again tells how far it has come', async () => {
    const script = scripted((nonce) => (nonce === 1n ? 'take' : { ok: false, code: 'nonce-used' }))
    const repeating: Intake = {
      submit: async (submission) => {
        const [result] = await script.submit(submission)
        return [result?.ok && script.asked.length > 1 ? { ok: true, repeated: true } : (result as IntakeResult)]
      },
      find: (id) => script.find(id),
    }
    const client = clientOf(handlersOf(repeating))
    const first = await client.submitTransfer(one(1))
    expect(await client.submitTransfer(one(1))).toMatchObject({ id: first.id, rung: 'sequenced', acknowledgement: {} })
    const id = rollup.idOf(executed)
    expect(await client.submitTransfer({ transfer: toHex(encodeTransfer(executed)) })).toEqual({ id, rung: 'anchored' })
    await expect(client.submitTransfer(one(7))).rejects.toMatchObject({ code: 'nonce-used' })
  })
})

describe('many transfers', () => {
  it('get a receipt for each run of neighbours under one tick', async () => {
    const script = scripted((nonce) => {
      if (nonce === 3n) return { ok: false, code: 'insufficient-funds' }
      if (nonce === 4n) return { ok: true, repeated: true }
      if (nonce === 5n) return { ok: false, code: 'overloaded' }
      return nonce === 7n ? 'tick' : 'take'
    })
    const bad = rowsOf(9)
    bad[0] = 2
    const bytes = new Uint8Array(concatBytes(rowsOf(1, 2, 3, 4, 5, 6, 7, 8), bad))
    const result = await clientOf(handlersOf(script)).submitTransfers({ bytes })
    expect(result.accepted).toBe(6)
    expect(result.refused).toEqual([
      { row: 2, code: 'insufficient-funds' },
      { row: 4, code: 'overloaded' },
      { row: 8, code: 'undecodable' },
    ])
    expect(result.receipts.map(({ row, count }) => [row, count])).toEqual([
      [0, 2],
      [5, 1],
      [6, 2],
    ])
    for (const { row, operation, receipt } of result.receipts) {
      expect(operation).toBe(toHex(bytes.slice(row * TRANSFER_BYTES, (row + 1) * TRANSFER_BYTES)))
      const decoded = decodeReceipt(fromHex(receipt))
      expect(decoded && receiptHolds(decoded, operationId(fromHex(operation)))).toBe(true)
    }
    expect(script.asked).toHaveLength(1)
  })

  it('get none for what only the batch, and not the request, has next to each other', async () => {
    const script = scripted(() => 'take')
    const [first, second] = await script.submit({ kind: 'transfer', rows: rowsOf(1, 2) })
    const results = [first, { ok: false, code: 'expired' }, second] as IntakeResult[]
    const client = clientOf(handlersOf({ submit: () => Promise.resolve(results), find: (id) => script.find(id) }))
    const { accepted, receipts } = await client.submitTransfers({ bytes: rowsOf(1, 3, 2) })
    expect([accepted, receipts.map(({ row, count }) => [row, count])]).toEqual([2, [[0, 1]]])
  })

  it('count one that a batch holds already as accepted', async () => {
    const script = scripted(() => ({ ok: false, code: 'nonce-used' }))
    const bytes = new Uint8Array(concatBytes(encodeTransfer(executed), rowsOf(5)))
    const result = await clientOf(handlersOf(script)).submitTransfers({ bytes })
    expect(result).toEqual({ accepted: 1, receipts: [], refused: [{ row: 1, code: 'nonce-used' }] })
  })
})

describe('a node that passes transfers on', () => {
  const hosts: Host[] = []
  const startHost = async (seed: number, bootstrap: string[], take?: (bytes: Uint8Array) => Promise<Uint8Array>) => {
    const host = await createHost({
      secretKey: secretOf(seed),
      network: rollup.network,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      bootstrap,
      validateHeader: () => 'accept',
      answerData: () => Promise.resolve(undefined),
      ...(take && { takeTransfers: take }),
      report: (error) => void failures.push(error),
    })
    hosts.push(host)
    return host
  }

  afterAll(() => Promise.all(hosts.map((host) => host.stop())))

  it('gives its clients what the sequencer answers', async () => {
    const fates = (nonce: bigint): IntakeResult | 'take' => (nonce === 3n ? { ok: false, code: 'expired' } : 'take')
    const script = scripted(fates)
    const handlers = handlersOf(script)
    const sequencer = await startHost(80, [], (bytes) => answerSubmit(handlers, bytes))
    const passer = await startHost(81, sequencer.addresses())
    const client = clientOf(handlersOf(passingIntake(node, passer), 'challenger'))
    const deadline = Date.now() + 10_000
    while (!passer.peers().some(({ isSequencer }) => isSequencer) && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(await client.submitTransfer(one(1))).toMatchObject({
      id: rollup.idOf(transfer(1)),
      rung: 'sequenced',
      acknowledgement: {},
    })
    const out = rollup.withdrawal(ALICE, { from: 0, amount: 5_000n, nonce: 9n })
    expect(await client.submitWithdrawal({ withdrawal: toHex(encodeSigned(out)) })).toMatchObject({
      id: rollup.idOf(out),
      rung: 'sequenced',
      acknowledgement: { operation: toHex(encodeSigned(out)) },
    })
    const late = rollup.withdrawal(ALICE, { from: 0, amount: 5_000n, nonce: 3n })
    await expect(client.submitWithdrawal({ withdrawal: toHex(encodeSigned(late)) })).rejects.toMatchObject({
      code: 'expired',
    })
    const bytes = rowsOf(2, 3, 4, 5)
    const through = await client.submitTransfers({ bytes })
    expect(through).toEqual(
      await clientOf(handlersOf(scripted(fates)))
        .submitTransfers({ bytes })
        .then((direct) => ({
          ...direct,
          receipts: through.receipts,
        })),
    )
    expect(through.receipts.map(({ row, count }) => [row, count])).toEqual([
      [0, 1],
      [2, 2],
    ])
    await sequencer.stop()
    await expect(client.submitTransfer(one(6))).rejects.toMatchObject({
      code: expect.stringMatching(/^(no-sequencer|overloaded)$/),
    })
  })

  it('says so where there is no sequencer', async () => {
    const alone = await startHost(82, [])
    const client = clientOf(handlersOf(passingIntake(node, alone), 'challenger'))
    await expect(client.submitTransfer(one(1))).rejects.toMatchObject({ code: 'no-sequencer' })
    const { accepted, refused } = await client.submitTransfers({ bytes: rowsOf(1, 2) })
    expect([accepted, refused.map(({ code }) => code)]).toEqual([0, ['no-sequencer', 'no-sequencer']])
    await alone.stop()
    await expect(client.submitTransfer(one(1))).rejects.toMatchObject({ code: 'no-sequencer' })
  })

  it('hears of a sequencer that starts, and of rows that are none', async () => {
    const decode = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes)) as unknown
    expect(decode(await answerSubmit(undefined, rowsOf(1, 2)))).toEqual({
      accepted: 0,
      receipts: [],
      refused: [
        { row: 0, code: 'syncing' },
        { row: 1, code: 'syncing' },
      ],
    })
    for (const length of [0, 1, 173, 175, 1001 * TRANSFER_BYTES]) {
      const answered = await answerSubmit(handlersOf(scripted(() => 'take')), new Uint8Array(length))
      expect(decode(answered)).toMatchObject({ error: { code: 'bad-request' } })
      expect(readAnswer(rollup.network, sentOf(1), answered)).toBeUndefined()
    }
  })

  it('gets an answer that fits, with as many receipts as it has room for', async () => {
    const handlers = handlersOf(scripted(() => 'tick'))
    const nonces = Array.from({ length: 1000 }, (_, at) => at)
    const rows = rowsOf(...nonces)
    const answered = await answerSubmit(handlers, rows)
    expect(answered.length).toBeLessThanOrEqual(MAX_SUBMISSION_RESPONSE)
    const results = readAnswer(rollup.network, sentOf(...nonces), answered)
    expect(results).toHaveLength(1000)
    const receipts = results?.filter((result) => result.ok && 'taken' in result).length ?? 0
    expect(receipts).toBeGreaterThan(400)
    expect(results?.filter((result) => result.ok && 'repeated' in result)).toHaveLength(1000 - receipts)
  })

  it('takes no answer that does not fit its rows', async () => {
    const rows = rowsOf(1, 2, 3)
    const right = JSON.parse(
      new TextDecoder().decode(await answerSubmit(handlersOf(scripted(() => 'take')), rows)),
    ) as SubmittedRows
    const judge = (answer: unknown) =>
      readAnswer(rollup.network, sentOf(1, 2, 3), new TextEncoder().encode(JSON.stringify(answer)))
    expect(judge(right)).toHaveLength(3)
    const [run] = right.receipts
    const other = await scripted(() => 'take').submit({ kind: 'transfer', rows: rowsOf(8) })
    expect(other).toHaveLength(1)
    const wrong = [
      { ...right, accepted: 2 },
      { ...right, accepted: 4 },
      { ...right, refused: [{ row: 0, code: 'expired' }] },
      { ...right, accepted: 2, receipts: [], refused: [{ row: 3, code: 'expired' }] },
      {
        ...right,
        accepted: 1,
        receipts: [],
        refused: [
          { row: 1, code: 'expired' },
          { row: 1, code: 'expired' },
        ],
      },
      { ...right, refused: [{ row: 0, code: 'because' }] },
      { ...right, receipts: [{ ...run, count: 4 }] },
      { ...right, receipts: [{ ...run, count: 0 }] },
      { ...right, receipts: [{ ...run, row: 1, count: 1 }] },
      { ...right, receipts: [{ ...run, row: 2 ** 31 }] },
      { ...right, receipts: [run, run] },
      { ...right, receipts: [{ ...run, receipt: `${run?.receipt.slice(2)}00` }] },
      { ...right, receipts: [{ ...run, operation: '00' }] },
      { ...right, receipts: [{ ...run, operation: toHex(encodeTransfer(transfer(2))) }] },
      [],
      null,
      'accepted',
    ]
    const sent = sentOf(1, 2, 3)
    for (const answer of wrong) expect(judge(answer), JSON.stringify(answer)?.slice(0, 200)).toBeUndefined()
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.json().map((text) => new TextEncoder().encode(text)),
        ),
        (bytes) => {
          expect(readAnswer(rollup.network, sent, bytes)).toBeUndefined()
        },
      ),
    )
  })
})

describe('a payment whose batch is void', () => {
  const used = (): IntakeResult => ({ ok: false, code: 'nonce-used' })
  const again = () => ({ transfer: toHex(encodeTransfer(executed)) })

  it('is not refused for good while the ledger holds the batch still', async () => {
    const client = clientOf(handlersOf(scripted(used)))
    expect(await client.submitTransfer(again())).toMatchObject({ rung: 'anchored' })
    await rollup.challenge(rollup.headHash(node), 'data')
    await rollup.mine(6)
    await node.follow()
    await expect(client.submitTransfer(again())).rejects.toMatchObject({ code: 'syncing' })
    // The sequencer may have taken the batch back already.
    const handlers = handlersOf(scripted(() => 'take'))
    const passing = passingIntake(node, { submit: (rows) => answerSubmit(handlers, rows) })
    expect(await clientOf(handlersOf(passing, 'challenger')).submitTransfer(again())).toMatchObject({
      rung: 'sequenced',
    })
  })

  it('nor where the batch is taken back while the payment is looked at', async () => {
    const script = scripted(used)
    const slow: Intake = {
      submit: async (submission) => {
        const results = await script.submit(submission)
        await node.advance()
        return results
      },
      find: (id) => script.find(id),
    }
    await expect(clientOf(handlersOf(slow)).submitTransfer(again())).rejects.toMatchObject({ code: 'syncing' })
    const client = clientOf(handlersOf(scripted(used)))
    await expect(client.submitTransfer(again())).rejects.toMatchObject({ code: 'nonce-used' })
  })

  it('and is found again where a reorganisation takes back what made it void', async () => {
    await rollup.bitcoind.reorg(
      6,
      Array.from({ length: 7 }, () => []),
    )
    await node.advance()
    const client = clientOf(handlersOf(scripted(used)))
    expect(await client.submitTransfer(again())).toMatchObject({ rung: 'final' })
  })
})

describe('once the chain is closed', () => {
  it('no transfer is taken any more', async () => {
    await rollup.close()
    await rollup.mine()
    await node.advance()
    const intake = scripted(() => 'take')
    const client = clientOf(handlersOf(intake))
    await expect(client.submitTransfer(one(1))).rejects.toMatchObject({ code: 'chain-closed' })
    expect(await client.health()).toMatchObject({ mode: 'closed' })
    const { batches } = await client.batches({ limit: 1 })
    expect(batches).toMatchObject([{ outcome: 'close', reason: expect.stringContaining('malformed') }])
    expect(await client.payment({ id: rollup.idOf(executed) })).toMatchObject({ rung: 'final' })
    expect(intake.asked).toEqual([])
  })
})
