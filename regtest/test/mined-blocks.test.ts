import { appendFileSync, readFileSync, statSync, truncateSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { printHash, readHeader, readTip } from '@kedge/bitcoin'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Bitcoind } from '../src/bitcoind.ts'
import { waitFor } from '../src/waiting.ts'
import { describeOnBitcoind, freshKey } from './ground.ts'

describeOnBitcoind('mined blocks are kept on disk', () => {
  let datadir: string
  let file: string
  let bitcoind: Bitcoind
  /** As a process that knows nothing of the one that mined. */
  const another = async () => {
    bitcoind = new Bitcoind({ datadir, policy: 'default' })
    await bitcoind.start()
  }
  beforeEach(async () => {
    datadir = await mkdtemp(join(tmpdir(), 'kedge-mined-'))
    file = join(datadir, 'mined-blocks')
    await another()
  })
  afterEach(async () => {
    await bitcoind.kill()
    await rm(datadir, { recursive: true })
  })
  const tip = async () => {
    const { height, hash } = await readTip(bitcoind.rpc)
    return `${height} ${printHash(hash)}`
  }

  test('killed before it wrote any, and so is who mined them: another start has the same chain, and money', async () => {
    await bitcoind.fund(freshKey().script, 1_000n)
    await bitcoind.mine(3)
    const before = await tip()
    await bitcoind.kill()
    await another()
    expect(await tip()).toBe(before)
    await bitcoind.fund(freshKey().script, 1_000n)
    await bitcoind.mine(1)
  })

  test('bitcoind has written them at a start: they are not kept twice, and last through the next kill', async () => {
    await bitcoind.mine(3)
    const before = await tip()
    await bitcoind.kill()
    await another()
    expect(statSync(file).size).toBe(0)
    await bitcoind.kill()
    await another()
    expect(await tip()).toBe(before)
  })

  test('a branch that was given up for a shorter one stays given up', async () => {
    const [old] = await bitcoind.mine(4)
    await bitcoind.reorg(4, 2)
    const before = await tip()
    await bitcoind.kill()
    await another()
    expect(await tip()).toBe(before)
    expect(await readHeader(bitcoind.rpc, old as Uint8Array)).toMatchObject({ confirmations: -1 })
    await bitcoind.mine(1)
    await bitcoind.kill()
    await another()
    expect(await tip()).toMatch(new RegExp(`^${Number(before.split(' ')[0]) + 1} `))
  })

  test('a last record that was cut off is passed over, and what comes after it is not', async () => {
    await bitcoind.mine(1)
    const before = await tip()
    const { size } = statSync(file)
    await bitcoind.mine(1)
    truncateSync(file, size + Math.floor((statSync(file).size - size) / 2))
    await bitcoind.kill()
    // Not through a start, which would empty the file: as if the writer went on after its disk had been full.
    const torn = readFileSync(file)
    await another()
    expect(await tip()).toBe(before)
    const [next] = await bitcoind.mine(1)
    const fresh = readFileSync(file)
    truncateSync(file, 0)
    appendFileSync(file, torn)
    appendFileSync(file, fresh)
    await bitcoind.kill()
    await another()
    expect((await readTip(bitcoind.rpc)).hash).toEqual(next)
  })

  test('one that ends by itself says so, and where its log is', async () => {
    const pid = Number(readFileSync(join(datadir, 'regtest', 'bitcoind.pid'), 'utf8'))
    bitcoind.check()
    process.kill(pid, 'SIGKILL')
    const reason = `bitcoind ended by itself (SIGKILL); its log is ${join(datadir, 'regtest', 'debug.log')}`
    const waiting = waitFor({ until: 'never', check: () => bitcoind.check() }, () => undefined)
    await expect(waiting).rejects.toThrow(reason)
    await expect(bitcoind.mine(1)).rejects.toThrow(reason)
    await bitcoind.start()
    bitcoind.check()
  })
})
