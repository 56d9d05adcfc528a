import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, readFileSync, readlinkSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { holdLock } from '../src/lock.ts'
import { isAlive, type Owner, parseOwner, printOwner, SELF } from '../src/owner.ts'
import { temporaryFolder } from './folder.ts'

const HOLDER = fileURLToPath(new URL('lock-holder.mjs', import.meta.url))

const done = () => Promise.resolve('done')

/** Of a process that has ended. */
const dead = (id: string): Owner => ({
  ...SELF,
  pid: spawnSync(process.execPath, ['--version']).pid,
  id: id.repeat(16),
})

/** Another process of this machine that lives. */
const living = (id: string): Owner => ({ ...SELF, id: id.repeat(16) })

let folder: string
let lock: string

beforeEach(async () => {
  folder = await temporaryFolder()
  lock = join(folder, 'lock')
})

const seize = (owner: Owner, name = lock) => symlinkSync(printOwner(owner), name)

function start(...args: string[]): ChildProcess {
  const child = spawn(process.execPath, [HOLDER, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

async function hasIt(child: ChildProcess): Promise<void> {
  if (child.stdout === null) throw new Error('no standard output')
  await once(child.stdout, 'data')
}

describe('a lock', () => {
  it('says whose it is while it is held, and leaves nothing behind, however the work ends', async () => {
    expect(await holdLock(lock, 0, () => Promise.resolve(parseOwner(readlinkSync(lock))))).toEqual(SELF)
    await expect(holdLock(lock, 0, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await readdir(folder)).toEqual([])
  })

  it.each(['SIGKILL', 'SIGINT'] as const)(
    'is waited for while its owner lives, and free after a %s',
    async (signal) => {
      const child = start(lock)
      await hasIt(child)
      await expect(holdLock(lock, 50, done)).rejects.toMatchObject({
        code: 'wallet-busy',
        message: expect.stringMatching(
          new RegExp(`process ${child.pid} of \\S+\\) .* holds ${lock}\\. .*delete that file`),
        ),
      })
      child.kill(signal)
      await once(child, 'exit')
      expect(await holdLock(lock, 0, done)).toBe('done')
      expect(await readdir(folder)).toEqual([])
    },
  )

  it('that somebody else has by now, after it was deleted by hand, stays his', async () => {
    await holdLock(lock, 0, () => {
      unlinkSync(lock)
      seize(living('a'))
      return done()
    })
    expect(readlinkSync(lock)).toBe(printOwner(living('a')))
  })

  it('that nobody here made is left alone', async () => {
    writeFileSync(lock, '')
    await expect(holdLock(lock, 50, done)).rejects.toMatchObject({ code: 'wallet-busy' })
    await rm(lock)
    symlinkSync('/etc/passwd', lock)
    await expect(holdLock(lock, 50, done)).rejects.toMatchObject({ code: 'wallet-busy' })
  })

  it('of a dead owner is taken once, though two found it dead: the second looks again', async () => {
    const [owner, first] = [dead('d'), living('a')]
    seize(owner)
    seize(first, `${lock}.${owner.id}`)
    const second = holdLock(lock, 5_000, done)
    await sleep(100)
    // What the first does: it takes the lock away, has it, and is done with the dead one.
    unlinkSync(lock)
    seize(first)
    unlinkSync(`${lock}.${owner.id}`)
    await sleep(100)
    expect(readlinkSync(lock)).toBe(printOwner(first))
    unlinkSync(lock)
    expect(await second).toBe('done')
    expect(await readdir(folder)).toEqual([])
  })

  it('of a dead owner is taken also where others died when they took it', async () => {
    const [owner, first, second] = [dead('d'), dead('e'), dead('f')]
    seize(owner)
    seize(first, `${lock}.${owner.id}`)
    seize(second, `${lock}.${owner.id}.${first.id}`)
    expect(await holdLock(lock, 0, done)).toBe('done')
    expect(await readdir(folder)).toEqual([])
  })

  it('is nobody’s twice, whoever is killed when', { timeout: 60_000 }, async () => {
    const log = join(folder, 'log')
    writeFileSync(log, '')
    const children = Array.from({ length: 4 }, () => start(lock, log))
    /** Which of those that live had it last. */
    const lastOf = (among: readonly ChildProcess[]) => {
      const [last] = readFileSync(log, 'utf8').match(/\d+(?=\n$)/) ?? []
      const at = among.findIndex(({ pid }) => String(pid) === last)
      if (at < 0) throw new Error('none of them had it')
      return at
    }
    for (let kill = 0; kill < 20; kill++) {
      const at = await vi.waitFor(() => lastOf(children), { timeout: 20_000, interval: 5 })
      await sleep(Math.random() * 40)
      appendFileSync(log, `kill ${children[at]?.pid}\n`)
      children[at]?.kill('SIGKILL')
      children[at] = start(lock, log)
    }
    // None has ended by itself.
    expect(children.map(({ exitCode }) => exitCode)).toEqual([null, null, null, null])
    for (const child of children) child.kill('SIGKILL')
    await Promise.all(children.map((child) => once(child, 'exit')))
    expect(await holdLock(lock, 0, done)).toBe('done')
    const { entered, twice } = replay(await readFile(log, 'utf8'))
    expect(twice).toEqual([])
    expect(entered).toBeGreaterThanOrEqual(20)
  })
})

/** Who had it when, by what they wrote: an owner is followed before it left only when it was killed. */
function replay(log: string): { readonly entered: number; readonly twice: readonly string[] } {
  let owner: string | undefined
  let entered = 0
  const twice: string[] = []
  const killed = new Set<string>()
  for (const line of log.trim().split('\n')) {
    const [what, pid = ''] = line.split(' ')
    if (what === 'kill') killed.add(pid)
    else if (what === 'leave' && owner === pid) owner = undefined
    else {
      if (what === 'leave' || (owner !== undefined && !killed.has(owner))) twice.push(`${line}, while ${owner} had it`)
      owner = pid
      entered++
    }
  }
  return { entered, twice }
}

describe('an owner', () => {
  it('is read as it was written, and nothing else is', () => {
    expect(parseOwner(printOwner(SELF))).toEqual(SELF)
    for (const text of ['', 'x', `${printOwner(SELF)} more`, printOwner({ ...SELF, id: 'ab' }), '1 2 3 4'])
      expect(parseOwner(text)).toBeUndefined()
  })

  it('lives while its process does', () => {
    expect(isAlive(SELF)).toBe(true)
    expect(isAlive({ ...SELF, id: 'another copy of this module' })).toBe(true)
    expect(isAlive(dead('d'))).toBe(false)
  })

  it('of another machine or container lives, as nobody here can tell', () => {
    expect(isAlive({ ...dead('d'), place: 'elsewhere//pid:[1]' })).toBe(true)
  })

  describe.runIf(process.platform === 'linux')('on Linux', () => {
    it('is dead where its number is another process’s by now, or was used before the machine started anew', () => {
      const [boot, ticks] = SELF.birth.split('/')
      expect(ticks).toMatch(/^\d+$/)
      expect(isAlive({ ...SELF, birth: `${boot}/1` })).toBe(false)
      expect(isAlive({ ...SELF, birth: `another-run/${ticks}` })).toBe(false)
    })

    it('is dead when it has ended, also where its parent does not hear of it', async () => {
      const parent = spawn('sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 30'], { stdio: ['ignore', 'pipe', 'inherit'] })
      onTestFinished(() => void parent.kill('SIGKILL'))
      const [text] = (await once(parent.stdout, 'data')) as [Buffer]
      const pid = Number(text.toString())
      const birth = `${SELF.birth.split('/')[0]}/${await startOf(pid)}`
      expect(isAlive({ ...SELF, pid, birth })).toBe(true)
      await sleep(300)
      expect(process.kill(pid, 0)).toBe(true)
      expect(isAlive({ ...SELF, pid, birth })).toBe(false)
    })
  })
})

async function startOf(pid: number): Promise<string | undefined> {
  return (await readFile(`/proc/${pid}/stat`, 'utf8')).split(' ')[21]
}
