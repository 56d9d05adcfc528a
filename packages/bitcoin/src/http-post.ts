import * as http from 'node:http'
import * as https from 'node:https'

/** Less than for how long bitcoind keeps a connection that nobody uses (30 s, its -rpcservertimeout). */
const IDLE_MS = 5_000

/** Free connections keep no process alive. */
const agents = {
  http: new http.Agent({ keepAlive: true, timeout: IDLE_MS }),
  https: new https.Agent({ keepAlive: true, timeout: IDLE_MS }),
}

export interface Posted {
  readonly authorization: string
  readonly body: string
}

export interface HttpAnswer {
  readonly status: number
  readonly text: string
}

/**
 * One POST over a connection that stays open for the next. On node:http, as a node asks its bitcoind many times for each
 * block: `fetch` takes four times as much of the processor for it.
 * @param onTimeout what to throw when the last byte of the answer is not there in time
 * @throws whatever the connection failed with
 */
export function httpPost(
  url: string,
  { authorization, body }: Posted,
  timeoutMs: number,
  onTimeout: () => Error,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const headers = { authorization, 'content-length': Buffer.byteLength(body) }
    const sent = url.startsWith('https:')
      ? https.request(url, { method: 'POST', agent: agents.https, headers })
      : http.request(url, { method: 'POST', agent: agents.http, headers })
    const timer = setTimeout(() => sent.destroy(onTimeout()), timeoutMs)
    const fail = (cause: unknown) => {
      clearTimeout(timer)
      reject(cause)
    }
    sent.once('error', fail)
    sent.once('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.once('error', fail)
      response.once('end', () => {
        clearTimeout(timer)
        resolve({ status: response.statusCode ?? 0, text })
      })
    })
    sent.end(body)
  })
}
