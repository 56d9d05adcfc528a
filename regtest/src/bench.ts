import { writeFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { parseArgs } from 'node:util'
import { describeMachine, describeVersions } from './bench/machine.ts'
import { measurements } from './bench/measurements.ts'
import { type Measurement, meetsGoal, type Row } from './bench/row.ts'
import { printFacts, printFigure, printTable } from './bench/table.ts'

const HELP = `Measures how fast Kedge is on this machine, in rows with stable names.

  npm run bench                       everything; takes less than 10 minutes
  npm run bench -- --list             the rows' names
  npm run bench -- --only tree        the rows whose names begin like this; may be given several times
  npm run bench -- --json FILE        writes {machine, versions, rows: [{name, unit, value, min, max, limit, goal, peers}]}

value   median of the rounds, or mean of a sustained run; min..max are the rounds' (a run's five parts')
limit   what this machine can do at most there, measured in the same run
peers   other ways to do the same, measured in the same run
`

const OPTIONS = {
  only: { type: 'string', multiple: true },
  json: { type: 'string' },
  list: { type: 'boolean' },
  help: { type: 'boolean' },
} as const

async function main(): Promise<number> {
  const { only = [''], json, list, help } = parseArgs({ options: OPTIONS }).values
  const isWanted = (name: string) => only.some((prefix) => name.startsWith(prefix))
  if (help) return print(HELP.trimEnd())
  if (list) return print(measurements.flatMap(({ rows }) => rows).join('\n'))
  const wanted = measurements.filter(({ rows }) => rows.some(isWanted))
  if (wanted.length === 0) throw new RangeError(`no row begins with ${only.join(' or ')}: --list prints their names`)
  const machine = describeMachine()
  const versions = await describeVersions()
  print(`${printFacts({ ...machine, ...versions })}\n`)
  const rows: Row[] = []
  for (const [at, measurement] of wanted.entries()) {
    print(`[${at + 1}/${wanted.length}] ${measurement.rows.filter(isWanted).join(', ')}: ${measurement.does}`)
    rows.push(...(await measure(measurement)).filter(({ name }) => isWanted(name)))
  }
  print(`\n${printTable(rows)}`)
  const missed = rows.filter((row) => meetsGoal(row) === false).map(({ name }) => name)
  if (missed.length > 0) print(`\nGoals missed here: ${missed.join(', ')}`)
  if (json !== undefined) await writeFile(json, `${JSON.stringify({ machine, versions, rows }, null, 2)}\n`)
  return 0
}

async function measure({ run }: Measurement): Promise<readonly Row[]> {
  const start = performance.now()
  const seconds = () => `${((performance.now() - start) / 1000).toFixed(1).padStart(7)} s`
  const rows = await run((line) => print(`${seconds()}  ${line}`))
  for (const { name, value, unit } of rows) print(`${seconds()}  ${name} = ${printFigure(value)} ${unit}`)
  return rows
}

function print(text: string): 0 {
  console.log(text)
  return 0
}

// An exit in good order takes bitcoind and the data with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => process.exit(128 + constants.signals[signal]))
}

try {
  process.exitCode = await main()
} catch (error) {
  const isUsage = error instanceof RangeError || (error instanceof TypeError && 'code' in error)
  console.error(isUsage ? `bench: ${error.message}` : error)
  process.exitCode = isUsage ? 2 : 1
}
