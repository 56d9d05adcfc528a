/**
 * The program of a thread that makes tables' points (`TableRequest`). It stands here, so that a thread that begins loads
 * what they take, and not all of this package.
 */
export const TABLE_WORKER = new URL(
  // Node 20 starts no worker from TypeScript: code that runs from src takes the built one.
  import.meta.url.endsWith('.ts') ? '../dist/table-worker.js' : './table-worker.js',
  import.meta.url,
)
