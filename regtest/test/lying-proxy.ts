import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { errorBodyOf, type RefusalCode, statusOf } from '@kedge/api'

/** What stands between a wallet and a node and is not honest: it speaks HTTP to both, and changes what it likes. */
export class LyingProxy {
  /** Added to the nonces of every account that is asked for. */
  nonce = 0n
  /** What whoever submits is told: a refusal, or nothing at all. Undefined: what the node says. */
  answer: RefusalCode | 'silence' | undefined
  /** Whether what is submitted reaches the node at once; if not, it is kept until `release`. */
  passesOn = true
  /** How long everything takes, ms. */
  slowMs = 0
  private readonly kept: string[] = []
  private readonly node: string
  private readonly server: Server

  constructor(node: string) {
    this.node = node
    this.server = createServer((request, response) => {
      this.serve(request, response).catch((error: Error) => response.destroy(error))
    })
  }

  async start(): Promise<void> {
    await once(this.server.listen(0, '127.0.0.1'), 'listening')
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  honest(): void {
    this.nonce = 0n
    this.answer = undefined
    this.passesOn = true
    this.slowMs = 0
  }

  /** Everything that was kept goes to the node: what the wallet signed first, last. Gives what it was answered. */
  async release(): Promise<number[]> {
    const statuses: number[] = []
    for (const body of this.kept.splice(0).reverse()) statuses.push((await this.ask('POST', '/transfers', body)).status)
    return statuses
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections()
    this.server.close()
    await once(this.server, 'close')
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = request
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString()
    const isSubmission = method === 'POST' && url === '/transfers'
    if (isSubmission) this.kept.push(body)
    const isHeld = isSubmission && !this.passesOn
    await sleep(this.slowMs)
    const said = isHeld ? undefined : await this.ask(method, url, body)
    if (isSubmission && this.answer === 'silence') return void response.destroy()
    const lie = isSubmission ? this.answer : undefined
    if (lie !== undefined)
      return reply(response, statusOf(lie as RefusalCode), errorBodyOf({ code: lie as RefusalCode }))
    if (said === undefined) throw new Error('what is kept has no answer of its own')
    const text = await said.text()
    const isAccount = /^\/accounts\/[0-9a-f]+$/.test(url) && said.ok
    reply(response, said.status, isAccount ? this.raise(text) : JSON.parse(text))
  }

  private ask(method: string, path: string, body: string): Promise<Response> {
    const sent = method === 'GET' ? {} : { body, headers: { 'content-type': 'application/json' } }
    return fetch(`${this.node}${path}`, { method, ...sent })
  }

  private raise(text: string): unknown {
    const account = JSON.parse(text) as { cells: { nonce: string }[] }
    const cells = account.cells.map((cell) => ({ ...cell, nonce: String(BigInt(cell.nonce) + this.nonce) }))
    return { ...account, cells }
  }
}

function reply(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}
