import { type Bonds, type BondView, createClient } from '@kedge/api'
import type { Command } from 'commander'
import { printSats } from '../../amount.ts'
import { bondSubcommand } from '../../bond-command.ts'
import { configOf, type Environment } from '../../options.ts'
import { answer } from '../../output.ts'
import { statusSettings } from '../../settings.ts'

export function statusCommand(environment: Environment): Command {
  const text = {
    description: 'what stands behind the sequencer’s word, as a node sees it on Bitcoin',
    examples: ['status', 'status --node https://node.example --json'],
  }
  const command = bondSubcommand('status', text, statusSettings, false)
  return command.action(async () => {
    const bonds = await createClient(configOf(command, statusSettings, environment).node).bonds({})
    answer(command, bonds, () => print(bonds))
  })
}

function print(bonds: Bonds): string[] {
  if (!bonds.asked) return ['This network asks for no bond: a sequencer that lies loses its batch, and nothing else.']
  const cover = bonds.covered
    ? `A batch that is anchored in the next block is covered, and those of ${bonds.left} blocks.`
    : 'No bond covers a batch that is anchored in the next block: it would be without effect.'
  return [cover, ...bonds.bonds.flatMap((bond) => ['', ...printBond(bond, bonds.height)])]
}

/** What each outcome means to somebody who relies on the bond. */
const ENDS = {
  slashed: 'slashed: the sequencer lied, and the forfeit is gone',
  returned: 'returned: the operator has it back, in time',
  frozen: 'frozen: the detector was spent alone, so nobody can return or slash it any more',
  released: 'released: all co-signers together sent it elsewhere, past what they had agreed to',
} as const

function printBond(bond: BondView, height: number): string[] {
  const { txid, sats, fundedAt, slash, covers, returnableAt, end } = bond
  const name = `${txid}:0, ${printSats(sats)}, funded in block ${fundedAt}`
  if (end !== undefined) return [name, `  ${ENDS[end.outcome]} (block ${end.height}, transaction ${end.txid})`]
  const left = Math.max(0, returnableAt - 1 - height)
  const home =
    left === 0 ? '  T is over: the operator may take it back' : `  T: ${left} blocks until it may be returned`
  if (slash === undefined || covers === undefined)
    return [name, '  funded, and counts for nothing: nobody was given what it takes to slash it', home]
  return [
    name,
    `  standing: anybody with evidence can slash it, since block ${slash.height}`,
    `  covers batches anchored in blocks ${covers.from} to ${covers.to}`,
    home,
  ]
}
