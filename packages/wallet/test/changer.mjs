/**
 * A process that changes a wallet's file until it is killed, made of the built package: it adds one deposit after another, and
 * says on standard output which are in the file.
 */
import { randomBytes } from 'node:crypto'
import { writeSync } from 'node:fs'
import { changeWalletFile } from '../dist/file.js'

const [, , path] = process.argv

for (;;) {
  const txid = randomBytes(32).toString('hex')
  await changeWalletFile(path, (old) => ({ ...old, deposits: [...old.deposits, { txid, raw: 'ab' }] }))
  writeSync(1, `${txid}\n`)
}
