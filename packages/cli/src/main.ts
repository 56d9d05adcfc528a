import { readFileSync } from 'node:fs'
import { kedgeProgram, runCommand } from './program.ts'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

// A reader that has seen enough (kedge wallet history | head) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

const args = process.argv.slice(2)
await runCommand(await kedgeProgram(process.env, version, args), args)
