import { equalBytes, type L1Output, type L1Transaction } from '@kedge/core'
import { plannedReturn } from './planned.ts'
import { type BondTerms, printOutpoint } from './terms.ts'

/**
 * What a transaction did to a bond, as Bitcoin shows it to everybody.
 *
 * - `slashed`: what must be forfeited was
 * - `returned`: to the sequencer, in time
 * - `frozen`: a detector is gone by itself; the return is impossible, and so is a slash by that detector
 * - `released`: all co-signers together sent the bond elsewhere
 *
 * From the first of these on the slot key's signatures prove nothing any more: it may be everybody's.
 */
export type BondOutcome = 'slashed' | 'returned' | 'frozen' | 'released'

/** Undefined for a transaction that leaves the bond alone. */
export function bondOutcome(terms: BondTerms, { inputs, outputs }: L1Transaction): BondOutcome | undefined {
  const spent = new Set(inputs.map(({ previous }) => printOutpoint(previous)))
  const detectors = terms.detectors.filter(({ outpoint }) => spent.has(printOutpoint(outpoint))).length
  if (!spent.has(printOutpoint(terms.bond.outpoint))) return detectors > 0 ? 'frozen' : undefined
  if (detectors === 1 && isOutput(outputs[0], terms.forfeit)) return 'slashed'
  const home = plannedReturn(terms)
  const isHome = outputs.length === home.outputs.length && isOutput(outputs[0], terms.returned)
  return isHome && inputs.length === home.inputs.length && detectors === terms.detectors.length
    ? 'returned'
    : 'released'
}

function isOutput(output: L1Output | undefined, wanted: L1Output): boolean {
  return output !== undefined && output.value === wanted.value && equalBytes(output.script, wanted.script)
}
