import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Client, createClient } from '@kedge/api'
import { parseReadyLine, type ReadyLine } from '@kedge/cli'
import { plainEnvironment } from './kedge.ts'

export interface NodeProgram {
  /** Name of the process, as people read it. */
  readonly name: string
  /** Holds its log. */
  readonly folder: string
  /** A JavaScript file and its arguments. */
  readonly command: readonly string[]
}

interface Running {
  readonly child: ChildProcess
  readonly ready: ReadyLine
  readonly client: Client
}

/**
 * Room for what is young: with Node's own 16 MB a sequencer at 100,000 transfers a second spends 12 % of its time
 * collecting garbage, with 64 MB 5 % (`sequencer.withoutSignatures`, by perf_hooks). `kedge sequencer --help` names it.
 */
const NODE_FLAGS = ['--max-semi-space-size=64']

const READY_MS = 60_000
const STOP_MS = 30_000

/** A node as a process of its own, which can be stopped, killed and started again on the same folder. */
export class NodeProcess {
  readonly name: string
  readonly logFile: string
  private readonly folder: string
  private readonly command: readonly string[]
  private running: Running | undefined
  private failure: Error | undefined

  constructor({ name, folder, command }: NodeProgram) {
    this.name = name
    this.folder = folder
    this.logFile = join(folder, 'log.jsonl')
    this.command = command
  }

  get isRunning(): boolean {
    return this.running !== undefined
  }

  /** Of its HTTP API. @throws Error while it does not run. */
  get client(): Client {
    return this.alive().client
  }

  get ready(): ReadyLine {
    return this.alive().ready
  }

  /** Until it says that it is ready. @throws Error with the end of its log when it ends before. */
  async start(): Promise<void> {
    if (this.running !== undefined) throw new Error(`${this.name} runs already`)
    this.failure = undefined
    const child = this.launch()
    const ready = await this.untilReady(child)
    this.running = { child, ready, client: createClient(ready.api) }
    child.once('exit', (code, signal) => this.ended(child, code, signal))
  }

  /** In good order. @throws Error when it takes too long, or fails at it */
  async stop(): Promise<void> {
    if (this.running === undefined) return
    const { child } = this.running
    this.running = undefined
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    const code = await end(child, 'SIGTERM')
    clearTimeout(late)
    if (code !== 0)
      throw this.failed(
        `did not stop in good order: ${code === null ? `still ran after ${STOP_MS / 1000} s` : `exit code ${code}`}`,
      )
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    if (this.running === undefined) return
    const { child } = this.running
    this.running = undefined
    await end(child, 'SIGKILL')
  }

  /** Over the channel that the lying sequencer listens on. */
  send(message: object): Promise<void> {
    const { child } = this.alive()
    return new Promise((resolve, reject) => {
      child.send(message, (error) => (error === null ? resolve() : reject(error)))
    })
  }

  /** @throws Error when it ended by itself. */
  check(): void {
    if (this.failure !== undefined) throw this.failure
  }

  private alive(): Running {
    this.check()
    if (this.running === undefined) throw new Error(`${this.name} does not run`)
    return this.running
  }

  private launch(): ChildProcess {
    const log = openSync(this.logFile, 'a')
    try {
      // The channel ends it when this process is gone, however that went.
      const stdio = ['ignore', 'pipe', log, 'ipc'] as const
      const child = spawn(process.execPath, [...NODE_FLAGS, ...this.command], {
        stdio: [...stdio],
        env: plainEnvironment(),
      })
      writeFileSync(pidFileOf(this.folder), String(child.pid))
      child.once('exit', () => rmSync(pidFileOf(this.folder)))
      return child
    } finally {
      closeSync(log)
    }
  }

  private async untilReady(child: ChildProcess): Promise<ReadyLine> {
    const late = setTimeout(() => child.kill('SIGKILL'), READY_MS)
    try {
      if (child.stdout === null) throw new Error('a child without standard output')
      for await (const line of createInterface({ input: child.stdout })) {
        const ready = parseReadyLine(line)
        if (ready !== undefined) return ready
      }
    } finally {
      clearTimeout(late)
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    throw this.failed(`did not start: ${child.signalCode ?? `exit code ${child.exitCode}`}`)
  }

  private ended(child: ChildProcess, code: number | null, signal: NodeJS.Signals | null): void {
    if (this.running?.child !== child) return
    this.running = undefined
    this.failure = this.failed(`ended by itself: ${signal ?? `exit code ${code}`}`)
  }

  private failed(what: string): Error {
    const last = readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-3).join('\n')
    return new Error(`${this.name} ${what}\nthe end of ${this.logFile}:\n${last}`)
  }
}

/** Where a node's process id stands while it runs. */
export function pidFileOf(nodeFolder: string): string {
  return join(nodeFolder, 'pid')
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  const exited = once(child, 'exit')
  child.kill(signal)
  await exited
  return child.exitCode
}
