/**
 * A process that takes a lock, made of the built package, until it is killed. Argument 1 is the lock, 2 a file for what it
 * does: with it the process takes the lock again and again, and writes down when it has it; without, it takes the lock once, says
 * so on standard output, and keeps it.
 */
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { holdLock } from '../dist/lock.js'

const [, , lock, log] = process.argv

if (log === undefined) {
  await holdLock(lock, 1_000, async () => {
    process.stdout.write('held\n')
    await sleep(60_000)
  })
}
for (;;)
  await holdLock(lock, 30_000, async () => {
    appendFileSync(log, `enter ${process.pid}\n`)
    await sleep(Math.random() * 3)
    appendFileSync(log, `leave ${process.pid}\n`)
  })
