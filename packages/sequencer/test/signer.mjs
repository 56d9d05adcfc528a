import { randomBytes, randomInt } from 'node:crypto'
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { xOnlyKey } from '@kedge/bond'
import { marks, Store } from '@kedge/storage'
import { readRecords } from '../dist/slot-record.js'
import { Slots } from '../dist/slots.js'

/**
 * Signs ticks and headers as fast as it can until it is killed, in a process of its own, made of the built package: each of
 * other content, so that a slot that is signed twice gives the key away. Argument 1 is the folder, 2 the ticks of a batch.
 * Each line of its output is something that was signed: number, slot, message or header's hash, signature.
 */

const [, , folder, ticks] = process.argv
const network = new Uint8Array(32).fill(1)
const key = xOnlyKey(new Uint8Array(32).fill(2))
const random = () => Uint8Array.from(randomBytes(32))
const hex = (bytes) => Buffer.from(bytes).toString('hex')
const tell = (...words) => writeSync(1, `${words.join(' ')}\n`)

const store = await Store.open(join(folder, 'data'), network)
const slots = await Slots.open(store, join(folder, 'tally'), {
  key,
  network,
  params: { caps: { ticks: Number(ticks) } },
})
let number = (await readRecords(store)).at(-1)?.number ?? (await resume())
for (;;) {
  await slots.make(number)
  slots.prepare(number + 1, false)
  const most = Math.min(slots.lengthOf(number), slots.firstTick(number) + randomInt(1, 8))
  for (let index = slots.firstTick(number); index < most; index++) await signTick(index)
  await seal()
}

async function resume() {
  const table = await slots.fixBehindResume(2)
  await store.commit(table.writes)
  await table.keep()
  return 2
}

async function signTick(index) {
  const tick = { number, index, origin: { height: 1, hash: random() }, parent: random(), count: 1, opsRoot: random() }
  const claimed = slots.claimTick(tick)
  await store.commit(claimed.writes)
  const { signature } = await claimed.keep()
  tell(number, index, hex(tick.opsRoot), hex(signature))
}

/** Another header each time, as where a batch was taken up again and got other operations. */
async function seal() {
  const [parent, hash] = [await store.get(marks, 'header'), random()]
  const { prevSig } = await slots.fieldsOf(number, parent ?? hash)
  const claimed = await slots.claimHeader(number, hash)
  await store.commit([...claimed.writes, marks.put('header', hash)])
  await claimed.keep()
  if (parent !== undefined) tell(number - 1, 'header', hex(parent), hex(prevSig))
  number++
}
