import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readAddresses } from '@kedge/wallet'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runKedge } from '../src/kedge.ts'
import { RegtestNetwork } from '../src/network.ts'
import { type Person, Stage } from '../src/stage.ts'
import { describeOnBitcoind } from './ground.ts'

describeOnBitcoind('what opening an account costs', () => {
  let folder: string
  let network: RegtestNetwork
  let alice: Person
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kedge-fee-'))
    network = await RegtestNetwork.start({ folder, challengers: 1, sealAfterMs: 250 })
    ;[alice] = (await new Stage(network, (_, work) => work(() => undefined)).people(1)) as [Person]
  }, 90_000)
  afterAll(async () => {
    await network.stop()
    await rm(folder, { recursive: true })
  })

  const wallet = async (name: string, ...args: string[]) => {
    const at = ['--wallet', name, '--node', network.sequencer.ready.api]
    const { code, stdout, stderr } = await runKedge(['wallet', ...args, ...at])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return stdout
  }

  test('is said where money arrives or goes for the first time, and not after that', async () => {
    const carol = join(folder, 'carol.json')
    await wallet(carol, 'create')
    const { rollup } = await readAddresses(carol)
    expect(await wallet(alice.wallet.path, 'send', rollup, '1sat')).toMatch(
      /fee +10\.100 sat, 10 sat of it for opening the recipient's account\n/,
    )
    expect(await wallet(alice.wallet.path, 'send', rollup, '1sat', '--again')).toMatch(/fee +0\.100 sat\n/)
    const shown = await wallet(alice.wallet.path, 'history')
    expect(shown).toMatch(
      /A deposit is credited less [0-9,]+ sat for moving it into the vault, and less 10 sat where it/,
    )
    expect(shown).toContain('The fee of the first payment to a key has 10 sat in it for opening an account.')
    expect(await wallet(carol, 'history')).not.toMatch(/A deposit is|The fee of/)
  }, 60_000)
})
