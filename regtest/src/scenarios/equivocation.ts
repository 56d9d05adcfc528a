import { publicKeyOf } from '@kedge/bitcoin'
import { findSlotSecret } from '@kedge/bond'
import { decodeReceipt, encodeDocument, equalBytes, type Receipt } from '@kedge/core'
import { checkReceipt, fetchReceipt, send } from '@kedge/wallet'
import { expect, type Scenario } from '../scenario.ts'
import type { Person, Stage } from '../stage.ts'

const AMOUNT = 9_000n

/** The sequencer promises one slot to two payers; both promises together give its slot key to whoever sees them. */
export const equivocation: Scenario = {
  name: 'promise-twice',
  title: 'promise-twice: two payers get a promise in one slot, and an outsider has the slot key',
  run: async (stage) => {
    const [alice, bob, carol] = (await stage.people(3)) as [Person, Person, Person]
    const first = await stage.step('alice pays bob, and keeps the receipt', () => pay(stage, alice, bob))
    const second = await stage.step(
      'carol pays bob: the sequencer promises her the first place, in the slot of alice’s promise; her wallet finds it in order',
      async () => {
        await stage.network.sequencer.send({ lie: 'promise-twice' })
        return pay(stage, carol, bob)
      },
      ({ tick, opIndex }) => `operation ${opIndex} of batch ${tick.number}, by tick ${tick.index}`,
    )
    await stage.step('an outsider with the two receipts, and without a node, computes the secret slot key', () => {
      const { params } = stage.network
      const secret = findSlotSecret(params, { ticks: [first, second], headers: [] })
      expect(secret !== undefined, 'the two receipts give nothing away')
      expect(equalBytes(publicKeyOf(secret), params.keys.slot), 'it is another key')
      expect(findSlotSecret(params, { ticks: [first, first], headers: [] }) === undefined, 'one receipt gives it away')
      return Promise.resolve()
    })
  },
}

async function pay({ network }: Stage, { wallet }: Person, to: Person): Promise<Receipt> {
  const { id } = await send(wallet, { to: to.key, amount: AMOUNT })
  const document = await fetchReceipt(wallet, id)
  checkReceipt(network.params, encodeDocument(document))
  const receipt = decodeReceipt(document.receipt)
  if (receipt === undefined) throw new Error('a receipt that was checked does not decode')
  return receipt
}
