import { writeSync } from 'node:fs'
import { register } from 'node:module'
import { isMainThread } from 'node:worker_threads'

// For node --import: says on standard error which modules the program loads, each as a line with its URL.
if (isMainThread) register(import.meta.url)

/** @type {import('node:module').LoadHook} */
export function load(url, context, next) {
  writeSync(2, `${url}\n`)
  return next(url, context)
}
