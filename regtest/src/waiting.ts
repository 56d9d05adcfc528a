import { setTimeout as sleep } from 'node:timers/promises'
import { ApiError } from '@kedge/api'
import { RpcUnreachableError } from '@kedge/bitcoin'

export interface Wait {
  /** What is waited for, to be read after "waiting until". */
  readonly until: string
  readonly withinMs?: number
  /** Called at each look with how things stand. */
  readonly onProgress?: (text: string) => void
  /** Throws when waiting has become pointless. */
  readonly check?: () => void
}

/** Tells how things stand while they are not as they should be. */
export type Note = (text: string) => void

const WITHIN_MS = 30_000
const EVERY_MS = 50

/**
 * Looks again and again until the probe gives something else than undefined. A node or a bitcoind that does not answer
 * is one that does not answer yet; any other error ends the wait.
 * @throws WaitError with the last look, after the deadline
 */
export async function waitFor<T>(
  { until, withinMs = WITHIN_MS, onProgress, check }: Wait,
  probe: (note: Note) => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const deadline = performance.now() + withinMs
  let last = 'nothing seen'
  const note: Note = (text) => {
    last = text
    onProgress?.(text)
  }
  for (;;) {
    check?.()
    const found = await look(probe, note)
    if (found !== undefined) return found
    if (performance.now() >= deadline)
      throw new WaitError(`waited ${withinMs / 1000} s until ${until}, in vain: ${last}`)
    await sleep(EVERY_MS)
  }
}

/** Looks once. @returns undefined also when a node or a bitcoind can't answer yet */
export async function look<T>(
  probe: (note: Note) => Promise<T | undefined> | T | undefined,
  note: Note,
): Promise<T | undefined> {
  try {
    return await probe(note)
  } catch (error) {
    if (!(error instanceof Error) || !isSilent(error)) throw error
    note(error.message)
    return undefined
  }
}

function isSilent(error: Error): boolean {
  if (error instanceof ApiError) return ['unreachable', 'syncing', 'overloaded'].includes(error.code)
  return error instanceof RpcUnreachableError
}

/** What should have happened did not. */
export class WaitError extends Error {
  override readonly name = 'WaitError'
}
