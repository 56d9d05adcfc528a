import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const KEDGE = fileURLToPath(new URL('../bin/kedge.mjs', import.meta.url))

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface How {
  readonly environment?: Readonly<Record<string, string>>
  readonly input?: string
}

/** Runs the real program as a process of its own, to its end. */
export function kedge(args: readonly string[], { environment = {}, input = '' }: How = {}): Promise<Ran> {
  const plain = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('KEDGE_')))
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [KEDGE, ...args], { env: { ...plain, ...environment } })
    const output = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output.stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output.stderr += text
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, ...output }))
    child.stdin.end(input)
  })
}
