interface Waiting {
  readonly rows: number
  readonly start: () => void
}

/** One request at a time, in the order in which they came. */
export class Turns {
  private readonly waitingMax: number
  private readonly waiting: Waiting[] = []
  private waitingRows = 0
  private isTaken = false

  /** @param waitingMax rows of the requests that may wait */
  constructor(waitingMax: number) {
    this.waitingMax = waitingMax
  }

  /**
   * Gives what to call when the work is over, once it may begin.
   * @returns undefined at once where too many wait
   */
  take(rows: number): Promise<() => void> | (() => void) | undefined {
    if (!this.isTaken) return this.begin()
    if (this.waitingRows + rows > this.waitingMax) return undefined
    this.waitingRows += rows
    return new Promise((resolve) => this.waiting.push({ rows, start: () => resolve(this.begin()) }))
  }

  private begin(): () => void {
    this.isTaken = true
    return () => {
      const next = this.waiting.shift()
      this.isTaken = next !== undefined
      this.waitingRows -= next?.rows ?? 0
      next?.start()
    }
  }
}
