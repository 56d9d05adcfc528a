/** Programs started on the user's behalf: their output, their exit codes, and the signals meant for them. */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

/** The repository's folder. Everything starts in it, wherever npm was called. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url))

const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP']

/** npm passes on a Ctrl-C that the terminal has sent to us already; two within this time are the same one. */
const ECHO_MS = 500

/** @typedef {[program: string, ...args: string[]]} Command */

/**
 * The exit code a shell reports for a program that ended by itself (`code`) or by a signal.
 * @param {number | null} code
 * @param {NodeJS.Signals | null} signal
 */
function exitCode(code, signal) {
  return code ?? 128 + (signal ? constants.signals[signal] : 0)
}

/**
 * Calls `deliver(signal)` once for each signal a user sends us, as long as `child` lives.
 * @param {import('node:child_process').ChildProcess} child
 * @param {(signal: NodeJS.Signals) => void} deliver
 */
function passSignals(child, deliver) {
  let delivered = Number.NEGATIVE_INFINITY
  /** @param {NodeJS.Signals} signal */
  const onSignal = (signal) => {
    if (performance.now() - delivered < ECHO_MS) return
    delivered = performance.now()
    deliver(signal)
  }
  for (const signal of STOPPING) process.on(signal, onSignal)
  child.once('close', () => {
    for (const signal of STOPPING) process.off(signal, onSignal)
  })
}

/**
 * Runs a program in the foreground until it ends, and returns its exit code.
 *
 * At a terminal it gets a process group of its own: Ctrl-C then reaches it once, through us, and reaches none of the
 * processes it started, which are its own to stop in order.
 * @param {Command} command
 * @param {Record<string, string>} env added to this process's own
 * @returns {Promise<number>}
 */
export function runForeground([program, ...args], env) {
  return new Promise((resolve, reject) => {
    const detached = process.stdin.isTTY === true
    const child = spawn(program, args, { cwd: ROOT, env: { ...process.env, ...env }, detached, stdio: 'inherit' })
    passSignals(child, (signal) => child.kill(signal))
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(exitCode(code, signal)))
  })
}

/**
 * Runs a program to its end without showing its output. A signal goes to all it started, and ends this process too:
 * these programs prepare something, and what they prepare is not there.
 * @param {Command} command
 * @returns {Promise<{ code: number, stdout: string, stderr: string }>}
 */
export function runQuietly([program, ...args]) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: ROOT, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    const output = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output.stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text) => {
      output.stderr += text
    })
    /** @type {NodeJS.Signals | undefined} */
    let stopped
    passSignals(child, (signal) => {
      stopped = signal
      if (child.pid) process.kill(-child.pid, signal)
    })
    // What a shell answers when there is no such program.
    child.once('error', ({ message }) => resolve({ code: 127, stdout: '', stderr: `${message}\n` }))
    child.once('close', (code, signal) => {
      if (stopped) process.exit(exitCode(null, stopped))
      resolve({ code: exitCode(code, signal), ...output })
    })
  })
}
