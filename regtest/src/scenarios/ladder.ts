import type { Ran } from '../kedge.ts'
import type { NodeProcess } from '../node-process.ts'
import { expect, type Scenario } from '../scenario.ts'
import type { Person } from '../stage.ts'
import { type Kedge, readJson, walletOf } from '../wallet-program.ts'

/** One payment with the command line, up the ladder, each rung checked by the wallet itself. */
export const ladder: Scenario = {
  name: 'ladder',
  title: 'ladder: one payment, pending → sequenced → anchored → final',
  run: async (stage) => {
    const { network } = stage
    const [alice, bob] = (await stage.people(2)) as [Person, Person]
    const [challenger] = network.challengers as [NodeProcess]
    const kedge = walletOf(stage, alice, challenger)
    const id = await stage.step(
      'pending: the sequencer is stopped, and alice pays bob: her wallet keeps the payment, nobody has acknowledged it',
      async () => {
        await network.sequencer.stop()
        return readPending(await kedge('send', bob.key, '1500sat', '--memo', 'lunch'))
      },
      (payment) => `payment ${payment.slice(0, 16)}…`,
    )
    await stage.step('the sequencer is started again, stands where it stood, and the challengers find it', async () => {
      await network.sequencer.start()
      await network.connected()
      await network.agreed()
    })
    await stage.step(
      'sequenced: the wallet sends the same bytes again, through a challenger; the receipt is signed',
      async () => {
        const { sends } = readJson(await kedge('resume')) as { sends: readonly { id: string; rung: string }[] }
        expect(sends.length === 1 && sends[0]?.id === id, 'the wallet sent another payment than the one it kept')
        await expectStatus(walletOf(stage, alice, network.sequencer), id, 'sequenced', ['payment', 'receipt'])
      },
    )
    await stage.step(
      'anchored: a block is mined; the wallet checks the proof from the payment to the Bitcoin block',
      async (note) => {
        await stage.mineTo('anchored', challenger, id, note)
        return expectStatus(kedge, id, 'anchored', [
          'payment',
          'receipt',
          'batch',
          'anchor',
          'link',
          'block',
          'best-chain',
        ])
      },
      ({ batch, depth }) => `batch ${batch}, ${depth} deep`,
    )
    await stage.step(
      `final: the dispute window of ${network.params.windows.dispute} blocks passes, and nothing was found`,
      async (note) => {
        await network.mine(network.params.windows.dispute - 1)
        await stage.mineTo('final', challenger, id, note)
        return expectStatus(kedge, id, 'final', [
          'payment',
          'receipt',
          'batch',
          'anchor',
          'link',
          'block',
          'best-chain',
        ])
      },
      ({ depth }) => `${depth} deep`,
    )
  },
}

interface Status {
  readonly rung: string
  readonly batch?: number
  readonly depth?: number
  readonly checks: readonly { readonly name: string; readonly verdict: string; readonly note: string }[]
}

async function expectStatus(kedge: Kedge, id: string, rung: string, checks: readonly string[]): Promise<Status> {
  const ran = await kedge('status', id)
  const status = readJson(ran) as Status
  expect(status.rung === rung, `the payment is ${status.rung}, not ${rung}`)
  for (const name of checks) {
    const check = status.checks.find((each) => each.name === name)
    expect(
      check?.verdict === 'holds',
      `the wallet's check of ${name} ${check?.verdict ?? 'is missing'}: ${check?.note ?? ''}`,
    )
  }
  return status
}

function readPending(ran: Ran): string {
  const { error } = JSON.parse(ran.stdout) as { error?: { code: string; details: { id: string } } }
  expect(
    ran.code === 1 && error?.code === 'not-answered',
    `with no sequencer, sending ended with ${ran.stdout}${ran.stderr}`,
  )
  return error.details.id
}
