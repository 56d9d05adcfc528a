import { equalBytes, type L1Output, type Outpoint } from '@kedge/core'
import type { BondRecord } from './cosign-message.ts'
import { areCosigned } from './cosign-round.ts'
import { plannedReturn } from './planned.ts'
import { type BondRules, findTermsFault, printOutpoint } from './terms.ts'

/**
 * Why a record that somebody shows is no bond behind the sequencer, or undefined. Everybody who may want to slash asks
 * this before it relies on the sequencer, and keeps the record: the slashes' signatures are what makes evidence bite.
 * @param outputAt the output that Bitcoin's best chain has there, unspent or not
 */
export function findBondFault(
  { terms, slashes }: BondRecord,
  rules: BondRules,
  outputAt: (outpoint: Outpoint) => L1Output | undefined,
): string | undefined {
  const fault = findTermsFault(terms, rules)
  if (fault !== undefined) return fault
  if (!areCosigned(terms, 'slash', slashes)) return "the slashes' signatures are missing, or wrong"
  const other = plannedReturn(terms).inputs.find(({ outpoint, value, script }) => {
    const output = outputAt(outpoint)
    return output === undefined || output.value !== value || !equalBytes(output.script, script)
  })
  return other && `${printOutpoint(other.outpoint)} is not there, or is another output`
}
