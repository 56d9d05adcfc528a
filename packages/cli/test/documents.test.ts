import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fromHex, reverseBytes, toHex } from '@kedge/core'
import { describe, expect, test } from 'vitest'
import { type Folder, freshFolder } from './folder.ts'
import { kedge } from './kedge.ts'
import { paramsText } from './params.ts'

/** The real program on the protocol's vectors: no node runs, and nothing is asked of any. */

interface Vector {
  readonly name: string
  /** Hex. */
  readonly document: string
  readonly checkpoint?: { readonly height: number; readonly hash: string }
  readonly shows?: { readonly id: string; readonly batch: number; readonly reservations: readonly string[] }
  readonly refused?: string
}

function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../core/vectors/${name}.json`, import.meta.url), 'utf8')) as T
}

const { receipts, payments } = vectors<Record<'receipts' | 'payments', readonly Vector[]>>('proofs')
const { params } = vectors<{ params: unknown }>('params')

/** One that shows something and one that doesn't: a process for each of all vectors would take a minute. */
const named = (list: readonly Vector[]) =>
  [list[0], list.find(({ shows }) => shows === undefined)].flatMap((vector) =>
    vector === undefined ? [] : [[vector.name, vector] as const],
  )
const first = (list: readonly Vector[]) => list[0] as Vector

function folderWith(bytes: Uint8Array): { folder: Folder; file: string; by: string } {
  const folder = freshFolder()
  return { folder, file: folder.file('document', bytes), by: folder.file('params.json', JSON.stringify(params)) }
}

function pointOf({ checkpoint }: Vector): string {
  if (checkpoint === undefined) throw new Error('no block is known')
  return `${checkpoint.height}:${toHex(reverseBytes(fromHex(checkpoint.hash)))}`
}

const jsonOf = (document: string, kedgeKind: string, network: string) =>
  JSON.stringify({ kedge: kedgeKind, version: 1, network, bytes: document })

describe('verify-receipt', () => {
  test.each(named(receipts))('%s', async (_, { document, shows, refused }) => {
    const { file, by } = folderWith(fromHex(document))
    const ran = await kedge(['wallet', 'verify-receipt', file, '--params', by, '--json'])
    const told: unknown = JSON.parse(ran.stdout)
    if (shows === undefined) {
      expect(ran.code).toBe(1)
      expect(told).toMatchObject({ error: { code: 'not-proven', details: { reason: refused } } })
      return
    }
    expect(ran).toMatchObject({ code: 0, stderr: '' })
    const { id, reservations } = told as { id: string; reservations: { name: string; sentence: string }[] }
    expect(id).toBe(shows.id)
    expect(reservations.map(({ name }) => name)).toEqual(shows.reservations)
  })

  test('in words', async () => {
    const vector = first(receipts)
    const { file, by } = folderWith(fromHex(vector.document))
    const { code, stdout } = await kedge(['wallet', 'verify-receipt', file], { environment: { KEDGE_PARAMS: by } })
    expect(code).toBe(0)
    expect(stdout).toContain(vector.shows?.id)
    expect(stdout).toMatch(/amount +1,234.567 sat/)
    expect(stdout).toContain('operation 2 of batch 7')
    expect(stdout).toContain('The sequencer has signed for this.\nWhat it can’t exclude:\n- promise: ')
  })
})

describe('verify-proof', () => {
  test.each(named(payments))('%s', async (_, vector) => {
    const { file, by } = folderWith(fromHex(vector.document))
    const args = ['wallet', 'verify-proof', file, '--params', by, '--checkpoint', pointOf(vector), '--json']
    const ran = await kedge(args)
    const told: unknown = JSON.parse(ran.stdout)
    const { shows, refused } = vector
    if (shows === undefined) {
      expect(ran.code).toBe(1)
      expect(told).toMatchObject({ error: { code: 'not-proven', details: { reason: refused } } })
      return
    }
    expect(ran).toMatchObject({ code: 0, stderr: '' })
    expect(told).toMatchObject({ transfer: { to: expect.stringMatching(/^[0-9a-f]{64}$/), amount: '1234567' } })
    const { id, batch, reservations } = told as Record<string, unknown> & { reservations: { name: string }[] }
    expect({ id, batch }).toEqual({ id: shows.id, batch: shows.batch })
    expect(reservations.map(({ name }) => name)).toEqual(shows.reservations)
  })

  test('in words', async () => {
    const vector = first(payments)
    const { file, by } = folderWith(fromHex(vector.document))
    const args = ['wallet', 'verify-proof', file, '--params', by, '--checkpoint', pointOf(vector)]
    const { code, stdout } = await kedge(args)
    expect(code).toBe(0)
    expect(stdout).toMatch(/amount +1,234.567 sat/)
    expect(stdout).toContain('operation 2 of batch 9')
    expect(stdout).toContain('It is anchored, 4 blocks deep.\nWhat it can’t exclude:\n- reorg: ')
  })

  test('without a block that is known says which ones there are: exit status 2', async () => {
    const { file, by } = folderWith(fromHex(first(payments).document))
    const { code, stdout, stderr } = await kedge(['wallet', 'verify-proof', file, '--params', by])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('--checkpoint HEIGHT:HASH')
    const [, hash = ''] = pointOf(first(payments)).split(':')
    expect(stderr).toContain(hash)
  })
})

describe('a file that can’t be used', () => {
  const receipt = fromHex(first(receipts).document)
  const proof = fromHex(first(payments).document)
  const json = jsonOf(first(receipts).document, 'receipt', first(receipts).document.slice(12, 76))
  const text = (content: string) => new TextEncoder().encode(content)

  test.each<[string, string, Uint8Array, number, string]>([
    ['JSON, which is another form of the same', 'verify-receipt', text(json), 0, 'The sequencer has signed'],
    [
      'JSON that says another network',
      'verify-receipt',
      text(json.replace(/"network":"../, '"network":"00')),
      1,
      'says of itself',
    ],
    ['cut', 'verify-receipt', receipt.slice(0, -1), 1, 'it is cut off, or damaged'],
    ['something else', 'verify-proof', text('-----BEGIN'), 1, 'it is no document of Kedge'],
    ['a proof for a receipt', 'verify-receipt', proof, 1, 'The file is a payment proof, not a receipt.'],
    ['cut', 'verify-proof', proof.slice(0, 60), 1, 'it is cut off, or damaged'],
    ['tampered with', 'verify-proof', proof.with(proof.length - 9, 1), 1, 'proves nothing'],
    ['too large', 'verify-proof', new Uint8Array(9_000_000), 2, 'it is larger than'],
  ])('%s, %s', async (_, command, bytes, status, message) => {
    const { file, by } = folderWith(bytes)
    const point = command === 'verify-proof' ? ['--checkpoint', pointOf(first(payments))] : []
    const { code, stdout, stderr } = await kedge(['wallet', command, file, '--params', by, ...point])
    expect(stdout + stderr).toContain(message)
    expect(code).toBe(status)
  })

  test('what is no file, or has no end, is refused in a sentence, and nobody waits for it', async () => {
    const { folder, by } = folderWith(receipt)
    const pipe = join(folder.path, 'pipe')
    execFileSync('mkfifo', [pipe])
    const device = 'it is a pipe or a device, and a file is needed'
    const named = [
      ['/dev/zero', device],
      ['/dev/stdin', device],
      [pipe, device],
      [folder.path, 'it is a folder, and a file is needed'],
    ] as const
    const argumentsOf = (file: string) => [
      ['verify-receipt', file, '--params', by],
      ['verify-receipt', by, '--params', file],
    ]
    const tried = named.flatMap(([file, message]) =>
      argumentsOf(file).map(async (args) => {
        const ran = await kedge(['wallet', ...args])
        expect(ran).toEqual({ code: 2, stdout: '', stderr: `kedge: ${file}: ${message}\n` })
      }),
    )
    await Promise.all(tried)
  })

  test.runIf(process.platform === 'linux')(
    'of a file that says it has no bytes, all are read, up to a bound',
    async () => {
      const { by } = folderWith(receipt)
      const { code, stdout, stderr } = await kedge(['wallet', 'verify-receipt', '/proc/self/status', '--params', by])
      expect([code, stdout + stderr]).toEqual([1, expect.stringContaining('it is no document of Kedge')])
    },
  )

  test('of another network', async () => {
    const { folder, file } = folderWith(receipt)
    const foreign = folder.file('foreign.json', paramsText('regtest'))
    const { code, stderr } = await kedge(['wallet', 'verify-receipt', file, '--params', foreign])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^kedge: The receipt is of the network [0-9a-f]{16}…, the parameters are those of /)
  })

  test('parameters that are none, or a file that is not there: exit status 2', async () => {
    const { folder, file, by } = folderWith(receipt)
    const bad = folder.file('bad.json', '{}')
    const wrong = await kedge(['wallet', 'verify-receipt', file, '--params', bad])
    expect(wrong).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(
        'bad.json: these are no parameters of a network: params: params.chain is missing',
      ),
    })
    const missing = await kedge(['wallet', 'verify-receipt', join(folder.path, 'nothing'), '--params', by])
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('cannot be read') })
  })
})
