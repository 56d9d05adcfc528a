import { join } from 'node:path'
import { publicKeyOf } from '@kedge/bitcoin'
import { networkId, paramsToJson, regtestBond } from '@kedge/core'
import { Store } from '@kedge/storage'
import { expect, test } from 'vitest'
import { freshFolder } from './folder.ts'
import { kedge } from './kedge.ts'
import { KEYS, paramsOf } from './params.ts'

test('a folder of bonds that is in use, or of another format: one sentence, and nothing is done', async () => {
  const folder = freshFolder()
  const [bond, home] = [7, 8].map((seed) => new Uint8Array(32).fill(seed)) as [Uint8Array, Uint8Array]
  const params = {
    ...paramsOf('regtest'),
    bond: { ...regtestBond, sequencer: publicKeyOf(bond), return: publicKeyOf(home) },
  }
  const keys = { ...(JSON.parse(KEYS) as object), bond: '07'.repeat(32), return: '08'.repeat(32) }
  const data = join(folder.path, 'data')
  const files = [
    ...['--params', folder.file('params.json', JSON.stringify(paramsToJson(params)))],
    ...['--keys', folder.file('keys.json', JSON.stringify(keys)), '--data', data],
  ]
  const nobody = ['--bitcoin-url', 'http://127.0.0.1:1', '--bitcoin-user', 'a', '--bitcoin-password', 'b']
  const giveBack = () => kedge(['bond', 'return', ...files, ...nobody, '--yes'])
  const store = await Store.open(join(data, 'bond'), networkId(params))
  expect(await giveBack()).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringMatching(/^kedge: \S+ is in use/),
  })
  await store.commit([{ type: 'put', key: Uint8Array.of(0, 1), value: Uint8Array.of(0, 0, 0, 7) }])
  await store.close()
  expect(await giveBack()).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringMatching(
      /^kedge: \S+ is of format 7, and this version of Kedge reads format 1 alone[^\n]+\n$/,
    ),
  })
})
