import { randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { isCode } from './errors.ts'

/** Whose a lock is: a process, told apart from all that have its number at another time or in another place. */
export interface Owner {
  readonly pid: number
  /** Of this process alone: random. */
  readonly id: string
  /** Where its number means something: a machine, on Linux also a container. */
  readonly place: string
  /** When it began. Only Linux says so; else `unknown`. */
  readonly birth: string
}

export function printOwner({ pid, id, place, birth }: Owner): string {
  return `${pid} ${id} ${place} ${birth}`
}

/** Undefined for what `printOwner` would not have written. */
export function parseOwner(text: string): Owner | undefined {
  const [, digits = '', id = '', place = '', birth = ''] = /^(\d{1,9}) ([0-9a-f]{16}) (\S+) (\S+)$/.exec(text) ?? []
  return digits === '' ? undefined : { pid: Number(digits), id, place, birth }
}

/** True also where nobody here can tell: what is taken from an owner that lives is lost. */
export function isAlive(owner: Owner): boolean {
  if (owner.place !== PLACE) return true
  const birth = birthOf(owner.pid)
  return (birth === UNKNOWN || birth === owner.birth) && isRunning(owner.pid)
}

const UNKNOWN = 'unknown'

/** Machines may share a folder and have one name; containers may share a machine's name, and have numbers of their own. */
const PLACE = [hostname(), readIfThere('/etc/machine-id'), pidNamespace()].join('/').replaceAll(/\s/g, '')

/** This process. */
export const SELF: Owner = {
  pid: process.pid,
  id: randomBytes(8).toString('hex'),
  place: PLACE,
  birth: birthOf(process.pid),
}

/**
 * The run of the machine, and the ticks after its start (proc_pid_stat(5), field 22): a number that was given to
 * another process has another birth. One that ended, and waits for its parent to hear of it, has none.
 */
function birthOf(pid: number): string {
  const stat = readIfThere(`/proc/${pid}/stat`)
  if (stat === '') return UNKNOWN
  // The name before it may hold spaces and brackets.
  const [state = '', ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return state === 'Z' || state === 'X'
    ? 'ended'
    : `${readIfThere('/proc/sys/kernel/random/boot_id').trim()}/${fields[18]}`
}

function pidNamespace(): string {
  return process.platform === 'linux' ? orNothing(() => readlinkSync('/proc/self/ns/pid')) : ''
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return !isCode(error, 'ESRCH')
  }
}

function readIfThere(file: string): string {
  return orNothing(() => readFileSync(file, 'utf8'))
}

/** Other systems have no such files; a process may end while it is looked at, and another user's may not be looked at. */
function orNothing(read: () => string): string {
  try {
    return read()
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].some((code) => isCode(error, code))) return ''
    throw error
  }
}
