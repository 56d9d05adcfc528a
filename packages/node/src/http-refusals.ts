import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { errorBodyOf, type Fault, statusOf } from '@kedge/api'

/** Requests that never become one of the API's: Node would answer them with nothing, or hang up. */

export const jsonHeaders = {
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
}

export function refuseByHand(server: Server): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET') socket.destroy()
    else writeFault(socket, { code: codeOf(error) })
  })
  server.on('connect', (_: IncomingMessage, socket: Duplex) => {
    socket.on('error', () => socket.destroy())
    writeFault(socket, { code: 'bad-request', details: { method: 'CONNECT is not for an API' } })
  })
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    const fault: Fault = { code: 'bad-request', details: { expect: 'must be 100-continue, or not given' } }
    response.writeHead(statusOf(fault.code), { ...jsonHeaders, connection: 'close' }).end(bodyOf(fault))
    request.resume()
  })
}

function codeOf({ code }: NodeJS.ErrnoException): Fault['code'] {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'too-slow'
  return code === 'HPE_HEADER_OVERFLOW' ? 'too-large' : 'bad-request'
}

/** The answer is written by hand where there is nothing to write it with, and the connection ends. */
function writeFault(socket: Duplex, fault: Fault): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const status = statusOf(fault.code)
  const body = bodyOf(fault)
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'connection: close',
    `content-length: ${Buffer.byteLength(body)}`,
  ]
  for (const [name, value] of Object.entries(jsonHeaders)) head.push(`${name}: ${value}`)
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}

function bodyOf(fault: Fault): string {
  return JSON.stringify(errorBodyOf(fault))
}
