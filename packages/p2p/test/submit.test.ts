import { describe, expect, test } from 'vitest'
import { MAX_SUBMISSION, MAX_SUBMISSION_RESPONSE } from '../src/limits.ts'
import { NoSequencerError, SubmitError } from '../src/submit.ts'
import { pattern, soon } from './bytes.ts'
import { addressOf, startHost, until, untilConnected } from './network.ts'

describe('submitting', () => {
  test('goes to the connected peer that takes transfers, at full size both ways', async () => {
    const plainPeer = await startHost(1)
    const taken: Uint8Array[] = []
    const sequencer = await startHost(2, {
      takeTransfers: (transfers) => {
        taken.push(transfers)
        return Promise.resolve(pattern(MAX_SUBMISSION_RESPONSE, 5))
      },
    })
    const client = await startHost(3, { bootstrap: [addressOf(plainPeer), addressOf(sequencer)] })
    await until('connected', () => client.peers().length === 2)
    const response = await client.submit(pattern(MAX_SUBMISSION), soon())
    expect(Buffer.compare(response, pattern(MAX_SUBMISSION_RESPONSE, 5))).toBe(0)
    expect(taken.map((bytes) => Buffer.compare(bytes, pattern(MAX_SUBMISSION)))).toEqual([0])
    await until('identified', () => client.peers().some(({ isSequencer }) => isSequencer))
    expect(client.peers().find(({ isSequencer }) => isSequencer)?.id).toBe(sequencer.peerId)
  })

  test('says so when no sequencer is connected', async () => {
    const plainPeer = await startHost(1)
    const client = await startHost(2, { bootstrap: [addressOf(plainPeer)] })
    await expect(client.submit(pattern(174), soon())).rejects.toThrow(NoSequencerError)
    await untilConnected(client)
    await expect(client.submit(pattern(174), soon())).rejects.toThrow(NoSequencerError)
  })

  test('a sequencer that fails is the other’s turn, and alone an error', async () => {
    const reports: string[] = []
    const broken = await startHost(1, {
      takeTransfers: () => Promise.reject(new Error('closed')),
      report: (error) => reports.push(String(error.cause)),
    })
    const client = await startHost(3, { bootstrap: [addressOf(broken)] })
    await untilConnected(client)
    await expect(client.submit(pattern(174), soon())).rejects.toThrow(SubmitError)
    const fine = await startHost(2, {
      bootstrap: [addressOf(client)],
      takeTransfers: () => Promise.resolve(pattern(3)),
    })
    await until('both connected', () => client.peers().length === 2)
    expect(fine.peers()).toHaveLength(1)
    expect(await client.submit(pattern(174), soon())).toEqual(pattern(3))
    expect(reports).toContain('Error: closed')
  })

  test('too many bytes are the caller’s mistake', async () => {
    const client = await startHost(1)
    await expect(client.submit(pattern(MAX_SUBMISSION + 1), soon())).rejects.toThrow(RangeError)
  })
})
