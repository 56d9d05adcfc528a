/** Runs work for one wallet file after what was asked before it has ended, however that ended. */
export function inTurn<T>(path: string, work: () => Promise<T>): Promise<T> {
  const before = turns.get(path) ?? Promise.resolve()
  const mine = before.then(work, work)
  turns.set(path, mine)
  const leave = () => {
    if (turns.get(path) === mine) turns.delete(path)
  }
  mine.then(leave, leave)
  return mine
}

const turns = new Map<string, Promise<unknown>>()
