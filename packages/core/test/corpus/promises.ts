import { encodeDocument } from '../../src/document.ts'
import { judgePromise } from '../../src/promise.ts'
import { promiseCase, promiseCases } from '../promises.ts'
import { network, params } from '../world.ts'
import { type Json, toJson } from './json.ts'

/** Promises, with what stands in Bitcoin: broken, or not. */
export function promiseVectors(): Json {
  const cases = promiseCases.map(([name, , change]) => {
    const { facts, links, shown } = promiseCase(change)
    const verdict = judgePromise(params, facts, shown)
    const document = toJson(encodeDocument({ kind: 'broken-promise', network, ...shown }))
    const given = {
      name,
      document,
      height: facts.height,
      links: [...links].map(([number, link]) => ({ number, ...link })),
    }
    return toJson({ ...given, ...(verdict.ok ? { breach: verdict.breach } : { refused: verdict.reason }) })
  })
  return {
    about:
      'judgePromise: what is shown, where block h of the best chain, up to the height, has the hash of 32 bytes h, and these are its links: breach, or refused where the promise is not found broken',
    network: toJson(network),
    cases,
  }
}
