import type { BondView } from '@kedge/api'
import { publicKeyOf } from '@kedge/bitcoin'
import { findSlotSecret } from '@kedge/bond'
import { equalBytes, type Receipt, regtestBond } from '@kedge/core'
import { runBond } from '../operator.ts'
import { expect, type Scenario } from '../scenario.ts'
import type { Person, Stage } from '../stage.ts'
import { expectSlashed, type Promised, pay, runSlash, stake } from './stake.ts'

const AMOUNT = 9_000n

/** The sequencer promises one slot to two payers; an outsider with both promises, and nothing else, takes its bond. */
export const equivocation: Scenario = {
  name: 'equivocation',
  title: 'equivocation: two payers get a promise in one slot, and an outsider takes the sequencer’s bond',
  alone: { challengers: 3, bond: regtestBond },
  run: async (stage) => {
    const bond = await stake(stage)
    const [alice, bob, carol] = (await stage.people(3)) as [Person, Person, Person]
    const first = await stage.step('alice pays bob, and keeps the receipt', () => pay(stage, alice, bob, AMOUNT))
    const second = await stage.step(
      'carol pays bob: the sequencer promises her the first place, in the slot of alice’s promise; her wallet finds it in order',
      async () => {
        await stage.network.sequencer.send({ lie: 'promise-twice' })
        return pay(stage, carol, bob, AMOUNT)
      },
      ({ receipt: { tick, opIndex } }) => `operation ${opIndex} of batch ${tick.number}, by tick ${tick.index}`,
    )
    await reveal(stage, first.receipt, second.receipt)
    await slash(stage, bond, [first, second])
    await afterwards(stage)
  },
}

function reveal(stage: Stage, first: Receipt, second: Receipt): Promise<void> {
  return stage.step('an outsider with the two receipts, and without a node, computes the secret slot key', () => {
    const { params } = stage.network
    const secret = findSlotSecret(params, { ticks: [first, second], headers: [] })
    expect(secret !== undefined, 'the two receipts give nothing away')
    expect(equalBytes(publicKeyOf(secret), params.keys.slot), 'it is another key')
    expect(findSlotSecret(params, { ticks: [first, first], headers: [] }) === undefined, 'one receipt gives it away')
    return Promise.resolve()
  })
}

function slash(stage: Stage, bond: BondView, promises: readonly Promised[]): Promise<void> {
  return stage.step(
    'the outsider slashes the bond: 80 percent are burnt, the rest is the reward; every node sees it on Bitcoin',
    async () => {
      const [one, other] = promises.map(({ file }) => file) as [string, string]
      const honest = await runSlash(stage, '--evidence', one, '--evidence', one)
      expect(honest.code === 2, `one receipt by itself slashes: ${honest.stdout}`)
      const ran = await runSlash(stage, '--evidence', one, '--evidence', other)
      expect(ran.code === 0, `kedge bond slash: ${ran.stdout}${ran.stderr}`)
      await expectSlashed(stage, bond)
    },
  )
}

function afterwards(stage: Stage): Promise<void> {
  const { network } = stage
  return stage.step(
    'the operator can’t take the bond back, and gets no other: the watchers refuse to sign',
    async () => {
      const back = await runBond(network, 'return', '--yes')
      expect(back.code === 2, `the bond is returned: ${back.stdout}`)
      const again = await runBond(network, 'setup', '--yes', '--timeout', '20')
      expect(again.stderr.includes('its sequencer gets no other'), `it is set up again: ${again.stdout}${again.stderr}`)
    },
  )
}
