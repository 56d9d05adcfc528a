/**
 * Every npm script of this repository starts here: node scripts/run.mjs TASK [ARGS]. Their `exec` makes this process
 * npm's own child: a shell in between would keep the signals that npm passes on.
 *
 * It needs nothing but Node, so it works right after a clone. The version is looked at first and the rest loaded
 * after, so that an old Node gets a sentence to read and no syntax error: keep this file's own syntax plain.
 */
import { readFileSync } from 'node:fs'

const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const wanted = engines.node.replace('>=', '')

/**
 * Whether version `a` ("20.19") is lower than version `b`.
 * @param {string} a
 * @param {string} b
 */
function isOlder(a, b) {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number)
  const [majorB = 0, minorB = 0] = b.split('.').map(Number)
  return majorA < majorB || (majorA === majorB && minorA < minorB)
}

if (isOlder(process.versions.node, wanted)) {
  console.error(`Kedge needs Node ${wanted} or newer, and this is ${process.versions.node} (24 is a good choice).`)
  process.exit(1)
}

const { runTask } = await import('./tasks.mjs')
process.exitCode = await runTask(process.argv[2], process.argv.slice(3))
