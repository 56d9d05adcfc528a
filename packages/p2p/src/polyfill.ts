/**
 * Node 20 has no `Promise.withResolvers`, which libp2p's queues and streams call. Import this file before libp2p;
 * once Node 22 is the oldest supported version, delete it and its imports.
 */

interface Resolvers<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T | PromiseLike<T>) => void
  readonly reject: (reason?: unknown) => void
}

function withResolvers<T>(): Resolvers<T> {
  let resolve: Resolvers<T>['resolve'] | undefined
  let reject: Resolvers<T>['reject'] | undefined
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  if (resolve === undefined || reject === undefined) throw new Error('a promise did not run its executor')
  return { promise, resolve, reject }
}

if (!('withResolvers' in Promise)) {
  Object.defineProperty(Promise, 'withResolvers', { value: withResolvers, configurable: true, writable: true })
}
