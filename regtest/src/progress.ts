import type { Note } from './waiting.ts'

/** Between two lines on a step that goes on, where lines can't be written over. */
const LINE_MS = 2000
const REFRESH_MS = 100

/** Tells on standard output what is being done and checked, all the time. */
export class Progress {
  private readonly started: number
  private readonly isTerminal = process.stdout.isTTY === true
  /** Lines that wait for their turn. */
  private waiting: string[] | undefined

  private constructor(started: number, waiting: string[] | undefined) {
    this.started = started
    this.waiting = waiting
  }

  static begin(): Progress {
    return new Progress(performance.now(), undefined)
  }

  /** Of something that goes on beside this, and is told later. */
  held(): Progress {
    return new Progress(this.started, [])
  }

  /** Tells what waited, and everything from now on. */
  release(): void {
    for (const text of this.waiting ?? []) console.log(text)
    this.waiting = undefined
  }

  title(text: string): void {
    this.line(`\n${this.isTerminal ? `\x1b[1m${text}\x1b[0m` : text}`)
  }

  line(text: string): void {
    if (this.waiting === undefined) console.log(text)
    else this.waiting.push(text)
  }

  /**
   * One step with its check. `work` gives what was seen, for the line that stays; while it goes on, `note` says how far
   * it has come.
   */
  async step<T>(title: string, work: (note: Note) => Promise<T>, seen: (result: T) => string = () => ''): Promise<T> {
    const start = performance.now()
    let last = ''
    const note: Note = (text) => {
      last = text
    }
    const timer = setInterval(() => this.refresh(title, last, start), this.isTerminal ? REFRESH_MS : LINE_MS)
    this.refresh(title, '', start)
    try {
      const result = await work(note)
      this.settle('✓', title, seen(result), start)
      return result
    } catch (error) {
      this.settle('✗', title, '', start)
      throw error
    } finally {
      clearInterval(timer)
    }
  }

  private refresh(title: string, note: string, start: number): void {
    if (this.waiting !== undefined) return
    const text = `  … ${title}${note === '' ? '' : ` (${note})`}  ${seconds(start)}`
    if (this.isTerminal) process.stdout.write(`\r\x1b[K${text.slice(0, process.stdout.columns ?? 80)}`)
    else if (performance.now() - start > REFRESH_MS) console.log(text)
  }

  private settle(mark: string, title: string, seen: string, start: number): void {
    if (this.isTerminal && this.waiting === undefined) process.stdout.write('\r\x1b[K')
    this.line(`  ${mark} ${title}${seen === '' ? '' : `: ${seen}`}  [${seconds(start)}, at ${seconds(this.started)}]`)
  }
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`
}
