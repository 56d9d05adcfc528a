import { createInterface } from 'node:readline/promises'
import { ConfigError } from './config-error.ts'

/**
 * Says what is about to happen, and asks for it: on standard error, so that the answer is alone on standard output.
 * @param yes it was agreed to on the command line
 * @throws ConfigError where there is nobody to ask
 */
export async function confirm(yes: boolean, lines: readonly string[]): Promise<boolean> {
  if (yes) return true
  if (process.stdin.isTTY !== true)
    throw new ConfigError('there is no terminal to ask for consent: add --yes, or --quote to see what it would cost')
  process.stderr.write(`${lines.join('\n')}\n`)
  const terminal = createInterface({ input: process.stdin, output: process.stderr, terminal: true })
  try {
    return /^y(es)?$/i.test((await terminal.question('Do it? [y/N] ')).trim())
  } finally {
    terminal.close()
  }
}
