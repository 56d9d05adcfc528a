import { payerOf } from '@kedge/core'
import { type Intake, type NodeParts, rowAt, rowCount } from '@kedge/node'
import type { Tamper } from './seal.ts'

/** The intake of a lying sequencer: of those that it ignores it takes nothing, and says that it is still catching up. */
export function ignoring(intake: Intake, { executor }: Pick<NodeParts, 'executor'>, tamper: Tamper): Intake {
  const isIgnored = (bytes: Uint8Array): boolean => {
    const { tree } = executor.ledger
    const cell = payerOf(bytes)
    return cell < tree.count && tamper.ignores(tree.owner(cell))
  }
  return {
    submit: async (submission, from) => {
      const rows = Array.from({ length: rowCount(submission) }, (_, row) => rowAt(submission, row))
      if (!rows.some(isIgnored)) return await intake.submit(submission, from)
      return rows.map(() => ({ ok: false, code: 'syncing' }))
    },
    find: (id) => intake.find(id),
  }
}
