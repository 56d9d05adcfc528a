import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { printHash, readTip } from '@kedge/bitcoin'
import {
  type Checkpoint,
  decodeDocument,
  documentFromJson,
  type PaymentDocument,
  paramsToJson,
  type Transfer,
  toHex,
  verifyPayment,
  verifyReceipt,
} from '@kedge/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runKedge } from '../src/kedge.ts'
import { RegtestNetwork } from '../src/network.ts'
import { type Person, Stage } from '../src/stage.ts'
import { bundlePage, checkInBrowser, findChromium, type PageVerdict, type Shown } from './browser.ts'
import { describeOnBitcoind } from './ground.ts'

/** What a person keeps of a payment, made by real nodes, checked by the real program and in a real browser. */
describeOnBitcoind('a payment that is kept in files', () => {
  let folder: string
  let network: RegtestNetwork
  let alice: Person
  let bob: Person
  let id: string
  let tip: Checkpoint
  const file = (name: string) => join(folder, name)
  const params = () => ['--params', file('params.json')]
  const wallet = (...args: string[]) =>
    runKedge(['wallet', ...args, '--wallet', alice.wallet.path, '--node', network.sequencer.ready.api, '--json'])
  const verify = (command: string, ...args: string[]) => runKedge(['wallet', command, ...args, ...params(), '--json'])

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kedge-proofs-'))
    network = await RegtestNetwork.start({ folder, challengers: 1, sealAfterMs: 200 })
    const stage = new Stage(network, (_, work) => work(() => undefined))
    ;[alice, bob] = (await stage.people(2)) as [Person, Person]
    const sent = await wallet('send', bob.key, '5sat', '--receipt', file('receipt'))
    id = (JSON.parse(sent.stdout) as { id: string }).id
    await stage.mineTo('anchored', network.sequencer, id, () => undefined)
    await network.mine(2)
    tip = await readTip(network.bitcoind.rpc)
  }, 60_000)
  afterAll(async () => {
    await network.stop()
    await rm(folder, { recursive: true })
  })

  test('the receipt: from send, and again by its payment, as bytes and as JSON', async () => {
    expect((await wallet('receipt', id, '--out', file('receipt.json'))).code).toBe(0)
    for (const name of ['receipt', 'receipt.json']) {
      const ran = await verify('verify-receipt', file(name))
      expect(ran).toMatchObject({ code: 0, stderr: '' })
      expect(JSON.parse(ran.stdout)).toMatchObject({ ok: true, id, operation: { to: bob.key, amount: '5000' } })
    }
    expect(read('receipt')).toEqual(read('receipt.json'))
    const again = await wallet('receipt', id, '--out', file('receipt'))
    expect(again).toMatchObject({ code: 2, stdout: expect.stringContaining('EEXIST') })
  })

  test('of a payment that is not taken there is no file', async () => {
    const refused = await wallet('send', bob.key, '5btc', '--receipt', file('none'))
    expect(refused).toMatchObject({ code: 1, stdout: expect.stringContaining('insufficient-funds') })
    expect(existsSync(file('none'))).toBe(false)
  })

  test('the proof: with a block that is known, by hand or to a bitcoind', async () => {
    const kept = await wallet('proof', id, '--out', file('proof'))
    const { proofBytes } = JSON.parse(kept.stdout) as { proofBytes: number }
    expect(proofBytes).toBeLessThan(3000)
    expect((await wallet('proof', id, '--out', file('proof.json'))).code).toBe(0)
    expect(read('proof')).toEqual(read('proof.json'))
    const { rpc } = network.bitcoind
    if (!('cookieFile' in rpc.login)) throw new Error('bitcoind has no cookie')
    const bitcoind = ['--bitcoin-url', rpc.url, '--bitcoin-cookie-file', rpc.login.cookieFile]
    for (const known of [['--checkpoint', `${tip.height}:${printHash(tip.hash)}`], bitcoind]) {
      const ran = await verify('verify-proof', file('proof'), ...known)
      expect(ran).toMatchObject({ code: 0, stderr: '' })
      expect(JSON.parse(ran.stdout)).toMatchObject({
        ...{ ok: true, id, transfer: { to: bob.key, amount: '5000' } },
        block: { depth: 3, height: tip.height - 2 },
      })
    }
    await network.reorg(3)
    const reorganised = await verify('verify-proof', file('proof'), ...bitcoind)
    expect(reorganised).toMatchObject({ code: 1, stdout: expect.stringContaining('the anchor is in none of these') })
  }, 60_000)

  const browser = findChromium()
  if (browser === undefined && process.env.CI === 'true') throw new Error('there is no Chromium')

  test.skipIf(browser === undefined)(
    'in a browser: the same holds, and nothing else',
    async () => {
      const script = await bundlePage()
      expect(script).not.toMatch(/\bnode:|\brequire\(/)
      const documents = [...damaged(bytesOf('receipt')), ...damaged(bytesOf('proof'))].map((bytes): Shown => {
        const document = toHex(bytes)
        return { document, checkpoint: { height: tip.height, hash: toHex(tip.hash) } }
      })
      const shown = { params: paramsToJson(network.params), documents }
      const verdicts = await checkInBrowser(browser as string, script, shown)
      expect(verdicts).toEqual(documents.map(({ document }) => verdictHere(document)))
      const proven = verdicts.filter((verdict) => typeof verdict !== 'string')
      expect(proven).toEqual([
        { id, to: bob.key, amount: '5000', reservations: ['promise', 'table', 'origin', 'executed'] },
        { id, to: bob.key, amount: '5000', reservations: ['reorg', 'chain', 'null', 'void', 'payer'] },
      ])
      const foreign = { ...shown, params: paramsToJson({ ...network.params, scanHeight: 1 }) }
      const refused = await checkInBrowser(browser as string, script, { ...foreign, documents: documents.slice(0, 1) })
      expect(refused).toEqual(['the receipt is not signed by the sequencer'])
    },
    30_000,
  )

  function bytesOf(name: string): Uint8Array {
    return Uint8Array.from(readFileSync(file(name)))
  }

  function read(name: string): unknown {
    return name.endsWith('.json')
      ? documentFromJson(JSON.parse(readFileSync(file(name), 'utf8')))
      : decodeDocument(bytesOf(name))
  }

  /** What this process says of it. */
  function verdictHere(document: string): PageVerdict {
    const opened = decodeDocument(Uint8Array.from(Buffer.from(document, 'hex')))
    if (!opened.ok) return opened.reason
    const verdict =
      opened.document.kind === 'receipt'
        ? verifyReceipt(network.params, opened.document.operation, opened.document.receipt)
        : verifyPayment(network.params, opened.document as PaymentDocument, tip)
    if (!verdict.ok) return verdict.reason
    const reservations = verdict.reservations.map(({ name }) => name)
    const payment = 'payment' in verdict ? verdict.payment : { id: verdict.id, transfer: verdict.operation as Transfer }
    return { ...shown(payment), reservations }
  }
})

function shown({ id, transfer: { to, amount } }: { readonly id: Uint8Array; readonly transfer: Transfer }) {
  return { id: toHex(id), to: toHex(to), amount: String(amount) }
}

/** A document, and what may become of it: a byte changed here and there, cut, longer, two bytes exchanged. */
function damaged(bytes: Uint8Array): Uint8Array[] {
  const places = Array.from({ length: Math.ceil((bytes.length - 38) / 11) }, (_, at) => 38 + 11 * at)
  return [
    bytes,
    ...[0, 4, 5, ...places].map((at) => bytes.with(at, (bytes[at] as number) ^ 0x41)),
    ...[0, 3, 5, 37, 38, 300, bytes.length - 1].map((size) => bytes.slice(0, size)),
    Uint8Array.from([...bytes, 0]),
    bytes.with(60, bytes[61] as number).with(61, bytes[60] as number),
  ]
}
