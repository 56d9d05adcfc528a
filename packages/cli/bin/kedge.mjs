#!/usr/bin/env node
/** Says which Node is needed before anything is loaded that an old one can't read. Keep this file's own syntax plain. */
import { readFileSync } from 'node:fs'

const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const [major, minor] = engines.node.replace('>=', '').split('.').map(Number)
const [ownMajor, ownMinor] = process.versions.node.split('.').map(Number)

if (ownMajor < major || (ownMajor === major && ownMinor < minor)) {
  process.stderr.write(
    `kedge needs Node ${major}.${minor} or newer, and this is ${process.versions.node} (24 is a good choice).\n`,
  )
  process.exit(1)
}

await import('../dist/main.js')
