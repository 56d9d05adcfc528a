/**
 * Runs `work` under a signal that aborts when one of `parents` does.
 *
 * Written out rather than with `AbortSignal.any`, which on Node 20 keeps an entry for each derived signal on a parent
 * that lives as long as the process.
 */
export async function withSignals<T>(
  parents: readonly AbortSignal[],
  work: (signal: AbortSignal, abort: (reason: Error) => void) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const unfollow = parents.map((parent) => follow(parent, controller))
  try {
    return await work(controller.signal, (reason) => controller.abort(reason))
  } finally {
    for (const stop of unfollow) stop()
  }
}

/** The same, with a signal that also aborts after `ms`, for a DeadlineError. */
export function withDeadline<T>(
  ms: number,
  parents: readonly AbortSignal[],
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return withSignals(parents, async (signal, abort) => {
    const timer = setTimeout(() => abort(new DeadlineError(ms)), ms)
    try {
      return await work(signal)
    } finally {
      clearTimeout(timer)
    }
  })
}

/** `promise`, unless `signal` aborts first: then its reason is thrown, whatever becomes of the promise. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(asError(signal.reason))
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** Resolves after `ms`, or as soon as `signal` aborts: the caller looks at the signal. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}

export function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}

function follow(parent: AbortSignal, controller: AbortController): () => void {
  const abort = () => controller.abort(parent.reason)
  if (parent.aborted) abort()
  parent.addEventListener('abort', abort)
  return () => parent.removeEventListener('abort', abort)
}

export class DeadlineError extends Error {
  override readonly name = 'DeadlineError'
  constructor(ms: number) {
    super(`not done within ${ms} ms`)
  }
}
