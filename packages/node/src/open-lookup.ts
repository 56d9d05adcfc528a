import { type Claim, decodeOperation, namedCells, type Position } from '@kedge/core'

/** The batch that a sequencer is building. */
export interface OpenOperations {
  readonly place: { readonly number: number }
  /** In their order; one list for one batch, which only grows. */
  readonly operations: readonly Uint8Array[]
  /** Indices of forced ones that changed nothing. */
  readonly idle: readonly number[]
  /** Of its withdrawals. */
  readonly claims: readonly Claim[]
}

/** Where operations stand in the open batch: each is read once, when somebody asks. */
export class OpenLookup {
  private list: readonly Uint8Array[] = []
  private read = 0
  private readonly touches = new Map<number, number[]>()
  private readonly credits = new Map<string, number>()
  private readonly forced = new Map<string, number>()

  /** Indices of operations that touched a cell, ascending. */
  findTouches(open: OpenOperations, cell: number): readonly number[] {
    this.follow(open.operations)
    return this.touches.get(cell) ?? []
  }

  findCredit(open: OpenOperations, position: Position): number | undefined {
    this.follow(open.operations)
    return this.credits.get(nameOf(position))
  }

  findForced(open: OpenOperations, position: Position): number | undefined {
    this.follow(open.operations)
    return this.forced.get(nameOf(position))
  }

  private follow(list: readonly Uint8Array[]): void {
    if (list !== this.list) {
      this.list = list
      this.read = 0
      this.touches.clear()
      this.credits.clear()
      this.forced.clear()
    }
    for (; this.read < list.length; this.read++) this.add(list[this.read] as Uint8Array, this.read)
  }

  private add(bytes: Uint8Array, index: number): void {
    const operation = decodeOperation(bytes)
    if (operation === undefined) return
    for (const cell of namedCells(operation)) {
      const indices = this.touches.get(cell)
      if (indices === undefined) this.touches.set(cell, [index])
      else indices.push(index)
    }
    if (operation.kind === 'deposit') this.credits.set(nameOf(operation.position), index)
    if (operation.kind === 'forced') this.forced.set(nameOf(operation.position), index)
  }
}

function nameOf({ height, tx, index }: Position): string {
  return `${height}-${tx}-${index}`
}
