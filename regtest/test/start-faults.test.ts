import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { networkId, type Params, paramsToJson } from '@kedge/core'
import { blocks, Store } from '@kedge/storage'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runKedge } from '../src/kedge.ts'
import { RegtestNetwork } from '../src/network.ts'
import type { NodeProcess } from '../src/node-process.ts'
import { describeOnBitcoind } from './ground.ts'

describeOnBitcoind('a node that can’t start says why in one sentence, and ends with exit status 1', () => {
  let folder: string
  let network: RegtestNetwork
  let challenger: NodeProcess
  let fresh = 0
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kedge-start-'))
    network = await RegtestNetwork.start({ folder, challengers: 1, sealAfterMs: 250 })
    challenger = network.challengers[0] as NodeProcess
  }, 90_000)
  afterAll(async () => {
    await network.stop()
    await rm(folder, { recursive: true })
  })

  const config = () => join(folder, challenger.name, 'config.toml')
  const start = async (...more: string[]) => {
    const { code, stdout, stderr } = await runKedge(['challenger', '--config', config(), '--api-port', '0', ...more])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    const [sentence, ...rest] = stderr
      .trim()
      .split('\n')
      .filter((line) => !line.startsWith('{"level":30'))
    expect(rest).toEqual([])
    return sentence
  }
  const elsewhere = () => ['--data', join(folder, `fresh-${fresh++}`), '--p2p-listen', '/ip4/127.0.0.1/tcp/0']
  const paramsWith = (change: Partial<Params>): string[] => {
    const file = join(folder, `params-${fresh++}.json`)
    writeFileSync(file, JSON.stringify(paramsToJson({ ...network.params, ...change })))
    return ['--params', file]
  }

  test('a folder in use', async () => {
    expect(await start()).toMatch(/^kedge: \S+ is in use by another process: stop it first/)
  })

  test('a port that is taken, of the API or of peers', async () => {
    const port = new URL(challenger.ready.api).port
    expect(await start(...elsewhere(), '--api-port', port)).toMatch(/^kedge: cannot listen on \S+: listen EADDRINUSE/)
    const [address = ''] = challenger.ready.addresses
    const taken = ['--p2p-listen', address.slice(0, address.indexOf('/p2p/'))]
    expect(await start(...elsewhere(), ...taken)).toMatch(
      /^kedge: peers can't be listened for on .*: listen EADDRINUSE/,
    )
  })

  test('a whole network: one of another mode in its folder, or a port that is taken', async () => {
    const up = (...args: string[]) => runKedge(['regtest', 'up', '--data', folder, '--challengers', '1', ...args])
    const other = await up('--mode', 'bitcoin')
    expect(other).toMatchObject({ code: 2, stdout: '' })
    expect(other.stderr).toMatch(
      /^the network in \S+ has the mode challenge, and keeps it: [^\n]*--data FOLDER[^\n]*\n$/,
    )
    const { port } = new URL(challenger.ready.api)
    const taken = await up('--api-port', port)
    expect(taken.code).toBe(2)
    expect(taken.stderr).toMatch(new RegExp(`^port ${port} is in use by another program: [^\\n]*--api-port[^\\n]*\\n$`))
  })

  test('a bitcoind on another chain, or behind the network', async () => {
    const foreign = [...paramsWith({ chain: 'testnet4' }), '--allow-off-regtest']
    expect(await start(...elsewhere(), ...foreign)).toMatch(/^kedge: bitcoind follows regtest, not testnet4: /)
    const late = paramsWith({ scanHeight: 1_000_000 })
    expect(await start(...elsewhere(), ...late)).toMatch(/^kedge: bitcoind's chain ends below block 1000000, /)
  })

  test('a folder of another format: it says which, and what to do', async () => {
    const data = join(folder, `fresh-${fresh++}`)
    const store = await Store.open(join(data, 'db'), networkId(network.params))
    await store.commit([{ type: 'put', key: Uint8Array.of(0, 1), value: Uint8Array.of(0, 0, 0, 7) }])
    await store.close()
    expect(await start('--data', data, '--p2p-listen', '/ip4/127.0.0.1/tcp/0')).toMatch(
      /^kedge: \S+ is of format 7, and this version of Kedge reads format 1 alone\. Run the version that wrote it; or /,
    )
  })

  test('a folder that has lost a block in the middle: it says that it is damaged, and what to do', async () => {
    await network.mine(3)
    await challenger.stop()
    const store = await Store.open(join(folder, challenger.name, 'data', 'db'), networkId(network.params))
    await store.commit([blocks.del(network.params.scanHeight + 1)])
    await store.close()
    const damaged = /the record of block \d+ is missing, .*: the data folder is damaged\. Restore it from a backup, or/
    expect(await start()).toMatch(damaged)
    await expect(challenger.start()).rejects.toThrow(damaged)
    expect(readFileSync(challenger.logFile, 'utf8')).toMatch(damaged)
    await rm(join(folder, challenger.name, 'data'), { recursive: true })
    await challenger.start()
    await network.agreed()
  }, 60_000)
})
