import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { freePort, isFree } from './bitcoind.ts'
import type { Note } from './waiting.ts'

/** The ports of a network, by whose they are: kept in its folder, so that what somebody wrote down holds after a restart. */
export class Ports {
  private readonly file: string
  private readonly known: Record<string, number>
  private readonly note: Note

  constructor(folder: string, note: Note) {
    this.file = join(folder, 'ports.json')
    this.known = readPorts(this.file)
    this.note = note
  }

  /** The one that it had, or where somebody else has taken it meanwhile, and at first, a free one. */
  async of(name: string): Promise<number> {
    const known = this.known[name]
    if (known !== undefined && (await isFree(known))) return known
    const port = await freePort()
    if (known !== undefined)
      this.note(`port ${known} of ${name} is taken by another program: it listens on ${port} now`)
    this.known[name] = port
    mkdirSync(dirname(this.file), { recursive: true })
    writeFileSync(this.file, `${JSON.stringify(this.known, null, 2)}\n`)
    return port
  }
}

/** @throws Error naming a file that was changed to something else */
function readPorts(file: string): Record<string, number> {
  if (!existsSync(file)) return {}
  const read: unknown = JSON.parse(readFileSync(file, 'utf8'))
  if (isPorts(read)) return read
  throw new Error(`${file} holds no ports: delete it, and others are chosen`)
}

function isPorts(read: unknown): read is Record<string, number> {
  if (typeof read !== 'object' || read === null) return false
  return Object.values(read).every((port) => Number.isInteger(port) && port > 0 && port < 65_536)
}
