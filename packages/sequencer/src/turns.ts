/**
 * One piece of work after another on the ledger and the batch that is open on it. Whoever adds to the batch waits while
 * a turn is under way.
 */
export class Turns {
  private last: Promise<void> | undefined
  private taken: Promise<void> | undefined

  /** What adders wait for. Never rejects; when they wake, whoever took the turn has gone on before them. */
  get pending(): Promise<void> | undefined {
    return this.taken
  }

  /** @param work may let adders go on before it ends; the next turn waits for its end all the same */
  take(work: (letGo: () => void) => Promise<void>): Promise<void> {
    const before = this.last
    let open: (() => void) | undefined
    const taken = new Promise<void>((resolve) => {
      open = resolve
    })
    const letGo = () => {
      if (this.taken === taken) this.taken = undefined
      open?.()
    }
    const mine = (async () => {
      await before
      await work(letGo)
    })().finally(() => {
      if (this.last === mine) this.last = undefined
    })
    this.last = mine
    this.taken = taken
    // Behind `mine`, not in it: whoever waits for that wakes first.
    mine.then(letGo, letGo)
    return mine
  }
}
