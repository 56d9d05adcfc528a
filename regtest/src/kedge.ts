import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The command-line program, as people run it. */
export const KEDGE = fileURLToPath(new URL('../../packages/cli/bin/kedge.mjs', import.meta.url))

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs `kedge` with these arguments, to its end, in an environment without settings. */
export function runKedge(args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(process.execPath, [KEDGE, ...args], { env: plainEnvironment() }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, stdout, stderr })
    })
  })
}

/** What somebody has set for nodes and wallets of their own must not reach those of the test network. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('KEDGE_')))
}
