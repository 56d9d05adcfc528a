import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { LoadAnswer, LoadRequest, SentLoad } from './load-process.ts'

/** Of a request that is sent at a pace. */
export const PACED_ROWS = 10

const PROGRAM = fileURLToPath(new URL('load-process.js', import.meta.url))

/** The process that makes load: what that costs is not the node's time. */
export class Load {
  private readonly child: ChildProcess

  constructor() {
    this.child = fork(PROGRAM, [], { serialization: 'advanced' })
  }

  async tell(request: Exclude<LoadRequest, { kind: 'send' }>): Promise<void> {
    await this.ask(request)
  }

  /** @param pace transfers a second; without one as fast as they are taken */
  async send(url: string, seconds: number, pace?: number): Promise<SentLoad> {
    const answer = await this.ask({ kind: 'send', url, seconds, ...(pace && { pace }) })
    if (answer.kind !== 'sent') throw new Error('the load was not sent')
    return answer.sent
  }

  async close(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const exited = once(this.child, 'exit')
    this.child.kill()
    await exited
  }

  private ask(request: LoadRequest): Promise<LoadAnswer> {
    return new Promise((resolve, reject) => {
      const ended = () => reject(new Error('the process that makes load ended by itself'))
      this.child.once('exit', ended)
      this.child.once('message', (answer: LoadAnswer) => {
        this.child.off('exit', ended)
        if (answer.kind === 'failed') reject(new Error(`the load failed: ${answer.reason}`))
        else resolve(answer)
      })
      this.child.send(request)
    })
  }
}
