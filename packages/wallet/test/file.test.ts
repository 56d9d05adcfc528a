import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { link, open, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { decodeContent, encodeContent, type SendRecord, type WalletContent } from '../src/content.ts'
import { changeWalletFile, createWalletFile, readWalletFile } from '../src/file.ts'
import { temporaryFolder } from './folder.ts'

const CHANGER = fileURLToPath(new URL('changer.mjs', import.meta.url))

const fill = (byte: number) => byte.toString(16).padStart(2, '0').repeat(32)
const TRANSFER = `01${'00'.repeat(173)}`

const content: WalletContent = {
  version: 1,
  network: fill(9),
  chain: 'regtest',
  words: `${'abandon '.repeat(11)}about`,
  sends: [{ id: fill(1), transfer: TRANSFER, memo: 'für Ánna', state: 'recorded' }],
  deposits: [{ txid: fill(2), raw: 'ab' }],
  publications: [],
}

const send = (at: number): SendRecord => ({ id: fill(at), transfer: TRANSFER, state: 'sequenced' })

async function newFile(): Promise<string> {
  const path = join(await temporaryFolder(), 'deep', 'wallet.json')
  await createWalletFile(path, content)
  return path
}

describe('a wallet’s file', () => {
  it('is read as it was written, by its owner alone', async () => {
    const path = await newFile()
    expect(await readWalletFile(path)).toEqual(content)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readdir(join(path, '..'))).toEqual(['wallet.json'])
  })

  it('is never overwritten by a new wallet', async () => {
    const path = await newFile()
    await expect(createWalletFile(path, { ...content, words: 'other' })).rejects.toMatchObject({
      code: 'wallet-exists',
    })
    expect(await readWalletFile(path)).toEqual(content)
    expect(await readdir(join(path, '..'))).toEqual(['wallet.json'])
  })

  it('keeps every change when many are made at once', async () => {
    const path = await newFile()
    const add = (at: number) => changeWalletFile(path, (old) => ({ ...old, sends: [...old.sends, send(at)] }))
    await Promise.all(Array.from({ length: 24 }, (_, at) => add(at + 10)))
    const { sends } = await readWalletFile(path)
    expect(new Set(sends.map(({ id }) => id)).size).toBe(25)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readdir(join(path, '..'))).toEqual(['wallet.json'])
  })

  it('stays as it was when a change fails, and is free for the next', async () => {
    const path = await newFile()
    const fail = () => {
      throw new Error('no')
    }
    await expect(changeWalletFile(path, fail)).rejects.toThrow('no')
    expect(await changeWalletFile(path, (old) => ({ ...old, deposits: [] }))).toMatchObject({ deposits: [] })
  })

  it('says which lock stands in the way', async () => {
    const path = await newFile()
    await writeFile(`${path}.lock`, '')
    const change = changeWalletFile(path, (old) => old)
    await expect(change).rejects.toMatchObject({
      code: 'wallet-busy',
      message: expect.stringContaining(`it holds ${path}.lock.`),
    })
  })

  it.each(['the file itself', 'half a file'])('is not touched through %s that a crash left beside it', async (what) => {
    const path = await newFile()
    if (what === 'half a file') await writeFile(`${path}.new`, '{"version": 1,')
    else await link(path, `${path}.new`)
    const before = await open(path)
    onTestFinished(() => before.close())
    const changed = await changeWalletFile(path, (old) => ({ ...old, deposits: [] }))
    expect(decodeContent(await before.readFile('utf8'))).toEqual({ ok: true, content })
    expect(await readWalletFile(path)).toEqual(changed)
    expect(await readdir(join(path, '..'))).toEqual(['wallet.json'])
  })

  it('has every change that was reported, though those who change it are killed', { timeout: 30_000 }, async () => {
    const path = await newFile()
    let reported = ''
    const start = () => {
      const child = spawn(process.execPath, [CHANGER, path], { stdio: ['ignore', 'pipe', 'inherit'] })
      onTestFinished(() => void child.kill('SIGKILL'))
      child.stdout.on('data', (text: Buffer) => {
        reported += text.toString()
      })
      return { child, first: once(child.stdout, 'data'), closed: once(child, 'close') }
    }
    const all = [start(), start(), start()]
    for (let kill = 0; kill < 8; kill++) {
      const next = all[kill]
      await next?.first
      await sleep(Math.random() * 50)
      next?.child.kill('SIGKILL')
      all.push(start())
      expect((await readWalletFile(path)).words).toBe(content.words)
    }
    expect(all.map(({ child }) => child.exitCode)).toEqual(all.map(() => null))
    for (const { child } of all) child.kill('SIGKILL')
    await Promise.all(all.map(({ closed }) => closed))
    const { deposits } = await changeWalletFile(path, (old) => old)
    const kept = new Set(deposits.map(({ txid }) => txid))
    const ids = reported.trim().split('\n')
    expect(ids.filter((id) => !kept.has(id))).toEqual([])
    expect(ids.length).toBeGreaterThanOrEqual(8)
    expect(await readdir(join(path, '..'))).not.toContain('wallet.json.new')
  })

  it('says when there is none, or it is damaged', async () => {
    const path = await newFile()
    await expect(readWalletFile(`${path}.other`)).rejects.toMatchObject({ code: 'no-wallet' })
    const text = await readFile(path, 'utf8')
    await writeFile(path, text.slice(0, -20))
    await expect(readWalletFile(path)).rejects.toMatchObject({ code: 'wallet-damaged' })
  })

  const damaged: readonly (readonly [string, unknown])[] = [
    ['an unknown key', { ...content, extra: 1 }],
    ['another version', { ...content, version: 2 }],
    ['another chain', { ...content, chain: 'doge' }],
    ['upper-case hex', { ...content, network: 'AB'.repeat(32) }],
    ['a transfer of another length', { ...content, sends: [{ ...send(1), transfer: '01' }] }],
    ['a transfer that does not decode', { ...content, sends: [{ ...send(1), transfer: `02${'00'.repeat(173)}` }] }],
    ['a list for the file', [content]],
  ]
  it.each(damaged)('with %s is refused', (_what, json) => {
    expect(decodeContent(JSON.stringify(json)).ok).toBe(false)
  })

  it('of another version says so, whatever else is in it', () => {
    expect(decodeContent(JSON.stringify({ ...content, version: 2, network: 'signet', extra: 1 }))).toEqual({
      ok: false,
      reason: 'version: it is not 1: another version of Kedge wrote the file, and reads it',
    })
  })

  it('is refused, and nothing is thrown, whatever it holds', () => {
    const text = encodeContent(content)
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.string({ maxLength: 3 }), (at, inserted) => {
        const read = decodeContent(text.slice(0, at) + inserted + text.slice(at + inserted.length))
        if (!read.ok) expect(read.reason).not.toBe('')
      }),
      { numRuns: 2000 },
    )
    fc.assert(fc.property(fc.json(), (json) => !decodeContent(json).ok))
  })
})
