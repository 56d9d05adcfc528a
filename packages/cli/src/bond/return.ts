import { printHash, type Rpc, readDepth } from '@kedge/bitcoin'
import { type BondSetup, readSetupStage, readSetups, returnBond } from '@kedge/sequencer'
import type { Store } from '@kedge/storage'
import type { Command } from 'commander'
import { printSats } from '../amount.ts'
import { agree } from '../bond-command.ts'
import { ConfigError } from '../config-error.ts'
import type { Environment } from '../options.ts'
import { answer } from '../output.ts'
import { type Operator, readOperator, withBondStore } from './operator.ts'

export async function returnBonds(command: Command, environment: Environment): Promise<void> {
  const operator = readOperator(command, environment)
  const returned = await withBondStore(operator, (store) => takeBack(command, operator, store))
  answer(command, { returned }, () =>
    returned.map(({ txid, sats }) => `${printSats(sats)} come back by transaction ${txid}`),
  )
}

async function takeBack(command: Command, operator: Operator, store: Store) {
  const due: BondSetup[] = []
  let soonest = Number.POSITIVE_INFINITY
  for (const setup of await readStanding(operator.rpc, store)) {
    const left = await blocksLeft(operator, setup)
    soonest = Math.min(soonest, left)
    if (left === 0) due.push(setup)
  }
  if (due.length === 0) throw new ConfigError(nothingDue(soonest))
  const sum = due.reduce((total, { record }) => total + record.terms.returned.value, 0n)
  await agree(command, [
    `This ends ${due.length === 1 ? 'a bond' : `${due.length} bonds`}, and pays ${printSats(sum)} to where the setup said.`,
    'Batches that no other bond covers are without effect from then on.',
  ])
  const returned: { txid: string; sats: bigint }[] = []
  for (const setup of due) {
    const { built, sent } = await returnBond(operator.rpc, setup, operator.returnSecret)
    if (!sent.ok) throw new ConfigError(`bitcoind refuses the return: ${sent.detail}`)
    returned.push({ txid: printHash(built.txid), sats: setup.record.terms.returned.value })
  }
  return returned
}

async function readStanding(rpc: Rpc, store: Store): Promise<BondSetup[]> {
  const standing: BondSetup[] = []
  for (const setup of await readSetups(store)) {
    const stage = await readSetupStage(rpc, setup)
    if (stage !== 'planned' && stage !== 'gone') standing.push(setup)
  }
  return standing
}

/** Until Bitcoin takes the return; it counts from the block that holds the detector (BIP68). */
async function blocksLeft({ rpc, asked }: Operator, { record }: BondSetup): Promise<number> {
  const detector = record.terms.detectors[0]
  const depth = detector && (await readDepth(rpc, detector.outpoint))
  return depth === undefined ? Number.POSITIVE_INFINITY : Math.max(0, asked.returnDelay - depth)
}

function nothingDue(soonest: number): string {
  return soonest === Number.POSITIVE_INFINITY
    ? 'there is no bond of this operator to return: none stands, or its detector is gone'
    : `it is too early: ${soonest} more blocks until the bond may be returned`
}
