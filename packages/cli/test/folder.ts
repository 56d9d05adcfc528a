import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A folder for one test, and files in it. */
export interface Folder {
  readonly path: string
  /** Writes a file, and gives its path. */
  file(name: string, content: string | Uint8Array, mode?: number): string
}

export function freshFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'kedge-cli-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  return {
    path,
    file: (name, content, mode = 0o600) => {
      writeFileSync(join(path, name), content, { mode })
      return join(path, name)
    },
  }
}
