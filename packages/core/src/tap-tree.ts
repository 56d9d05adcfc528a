import { concatBytes } from './bytes.ts'
import { controlHead, type LeafOutput, tapBranch, tapLeafHash, taprootKey, taprootScript } from './scripts.ts'

/** A taproot output with several leaves (BIP341). */
export interface TreeOutput {
  readonly script: Uint8Array
  /** In the order they were given. */
  readonly leaves: readonly LeafOutput[]
}

/** Knots relays no deeper leaf. */
export const MAX_DEPTH = 7

/**
 * The first leaves lie as high as the rest, or one level higher: put those first whose spends should be small.
 * @throws RangeError unless there are 1 to 128 leaves
 * @throws Error when `internalKey` is not on the curve
 */
export function treeOutput(internalKey: Uint8Array, leaves: readonly Uint8Array[]): TreeOutput {
  if (leaves.length < 1 || leaves.length > 2 ** MAX_DEPTH) throw new RangeError(`a tree of ${leaves.length} leaves`)
  const { root, paths } = branchOf(leaves.map(tapLeafHash))
  const { key, odd } = taprootKey(internalKey, root)
  const head = concatBytes(controlHead(odd), internalKey)
  const script = taprootScript(key)
  const outputs = leaves.map((leaf, at) => ({ script, leaf, control: concatBytes(head, ...(paths[at] ?? [])) }))
  return { script, leaves: outputs }
}

interface Branch {
  readonly root: Uint8Array
  /** For each leaf below, the hashes from its sibling up. */
  readonly paths: readonly (readonly Uint8Array[])[]
}

function branchOf(hashes: readonly Uint8Array[]): Branch {
  const [only, second] = hashes
  if (only !== undefined && second === undefined) return { root: only, paths: [[]] }
  const half = Math.floor(hashes.length / 2)
  const [left, right] = [branchOf(hashes.slice(0, half)), branchOf(hashes.slice(half))]
  const paths = [...left.paths.map((path) => [...path, right.root]), ...right.paths.map((path) => [...path, left.root])]
  return { root: tapBranch(left.root, right.root), paths }
}
