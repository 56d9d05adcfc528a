import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { rolldown } from 'rolldown'

/** A real browser, and a page in it that has the parameters, the documents, and no way to ask anybody. */

/** A document, and the block that is known where it is a payment proof. Hex. */
export interface Shown {
  readonly document: string
  readonly checkpoint?: { readonly height: number; readonly hash: string }
}

/** What the page says of a document: what it shows, or why it shows nothing. */
export type PageVerdict =
  | string
  | { readonly id: string; readonly to: string; readonly amount: string; readonly reservations: readonly string[] }

/** No script but the page's own, nothing inline, nothing evaluated, no other origin. */
const POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'"

const PAGE = '<!doctype html><title>checking</title><main></main><script type="module" src="/page.js"></script>'

/** `$CHROMIUM`, or one on PATH; undefined when there is none. */
export function findChromium(): string | undefined {
  const { CHROMIUM, PATH = '' } = process.env
  if (CHROMIUM) return CHROMIUM
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
  const paths = names.flatMap((name) => PATH.split(delimiter).map((folder) => join(folder, name)))
  return paths.find((path) => existsSync(path))
}

/** The page's script with all that it needs of the protocol. */
export async function bundlePage(): Promise<string> {
  const bundle = await rolldown({
    input: fileURLToPath(new URL('browser/page.mjs', import.meta.url)),
    platform: 'browser',
    treeshake: true,
  })
  try {
    const { output } = await bundle.generate({ format: 'es', minify: true })
    const [chunk, ...others] = output
    if (others.length > 0) throw new Error(`the page needs ${others.length} files more than one`)
    return chunk.code
  } finally {
    await bundle.close()
  }
}

/** Opens the page in a browser, has it check the documents, and gives its verdicts. @throws Error for what it complains of */
export async function checkInBrowser(
  browser: string,
  script: string,
  shown: { readonly params: unknown; readonly documents: readonly Shown[] },
): Promise<readonly PageVerdict[]> {
  const files = new Map([
    ['/', ['text/html', PAGE]],
    ['/page.js', ['text/javascript', script]],
    ['/shown.json', ['application/json', JSON.stringify(shown)]],
  ])
  const server = createServer(({ url = '' }, response) => {
    const [type, body] = files.get(url) ?? []
    if (type === undefined) return response.writeHead(404).end()
    return response.writeHead(200, { 'content-type': type, 'content-security-policy': POLICY }).end(body)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const chrome = await chromium.launch({ executablePath: browser })
  try {
    const page = await chrome.newPage()
    const complaints: string[] = []
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('console', (message) => complaints.push(message.text()))
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    await page.waitForFunction(() => Reflect.get(globalThis, 'document').title === 'checked', undefined, {
      timeout: 15_000,
    })
    const text = await page.textContent('main')
    if (complaints.length > 0) throw new Error(`the page complains: ${complaints.join('; ')}`)
    return JSON.parse(text ?? '') as readonly PageVerdict[]
  } finally {
    await chrome.close()
    server.closeAllConnections()
    server.close()
  }
}
