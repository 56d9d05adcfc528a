/** Blocks after which whoever follows Bitcoin has the batches before them. A node that lags more tells of no accounts. */
const LAG = 6

/** How many cells there were so many blocks ago. Those made since may be unknown to nodes that pass payments on. */
export class SettledCells {
  /** By height ascending, each as it was last looked at there. */
  private readonly looks: { readonly height: number; readonly count: number }[]

  /** @param count of a ledger that was loaded */
  constructor(count: number) {
    this.looks = [{ height: Number.NEGATIVE_INFINITY, count }]
  }

  /** @param height of Bitcoin's tip @param count of the cells that there are now */
  look(height: number, count: number): number {
    const { looks } = this
    // Behind a reorganisation heights may be lower for a while: nobody is blamed for what that hides.
    if (looks.at(-1)?.height === height) looks.pop()
    if (height > (looks.at(-1)?.height ?? Number.NEGATIVE_INFINITY)) looks.push({ height, count })
    while ((looks[1]?.height ?? height) <= height - LAG) looks.shift()
    return looks[0]?.count ?? count
  }
}
