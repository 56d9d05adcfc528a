import { setTimeout as pause } from 'node:timers/promises'

/** How a command asks a node: it tells people what it waits for, and asks again what passes by itself in a moment. */

const SAID_AFTER_MS = 3_000
/** A node that reads a new block says `syncing` for a moment. */
const ROUNDS = 8
const PAUSE_MS = 250
/** No error's answer is longer. */
const ERROR_BYTES_MAX = 4_096

export const patientFetch: typeof fetch = async (input, init) => {
  for (let round = 1; ; round++) {
    const response = await askAloud(input, init)
    const mayPass = !response.ok && (init?.method ?? 'GET') === 'GET' && round < ROUNDS
    if (!mayPass || !(await isSyncing(response.clone()))) return response
    await pause(PAUSE_MS)
  }
}

async function askAloud(...[input, init]: Parameters<typeof fetch>): Promise<Response> {
  const { origin } = new URL(String(input))
  const timer = setTimeout(() => {
    process.stderr.write(`kedge: ${origin} has not answered for ${SAID_AFTER_MS / 1000} s; waiting for it ...\n`)
  }, SAID_AFTER_MS)
  try {
    return await fetch(input, init)
  } finally {
    clearTimeout(timer)
  }
}

async function isSyncing(response: Response): Promise<boolean> {
  if (Number(response.headers.get('content-length') ?? ERROR_BYTES_MAX) >= ERROR_BYTES_MAX) return false
  return (await response.text()).includes('"code":"syncing"')
}
