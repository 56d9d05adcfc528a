import type { z } from 'zod'

/** A body of bytes instead of JSON: rows of one size, back to back. */
export interface BinaryBody {
  readonly rowBytes: number
  readonly maxRows: number
}

/** One HTTP route as data: the server and the client are both made from it. */
export interface Route {
  readonly method: 'GET' | 'POST'
  /** `:name` stands for a path parameter. */
  readonly path: string
  readonly summary: string
  readonly params?: z.ZodObject
  readonly query?: z.ZodObject
  readonly body?: z.ZodObject | BinaryBody
  readonly response: z.ZodType
  /** The media type of an answer that is a text by itself, in place of JSON. */
  readonly text?: string
}

type Fields<S> = S extends z.ZodObject ? z.output<S> : unknown

type BodyFields<B> = B extends z.ZodObject ? z.output<B> : B extends BinaryBody ? { bytes: Uint8Array } : unknown

type Part<R, Name extends 'params' | 'query'> = R extends { readonly [N in Name]: infer S } ? Fields<S> : unknown

type BodyPart<R> = R extends { readonly body: infer B } ? BodyFields<B> : unknown

/** All that a request says, in one object: path parameters, query and body (`bytes` where it is binary). */
export type RequestOf<R extends Route> = Part<R, 'params'> & Part<R, 'query'> & BodyPart<R>

export type ResponseOf<R extends Route> = z.output<R['response']>

/** @throws Error when the path and the parameters disagree, or two parts of the request use the same name. */
export function defineRoute<const R extends Route>(route: R): R {
  const inPath = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name as string)
  const params = Object.keys(route.params?.shape ?? {})
  if ([...inPath].sort().join() !== [...params].sort().join())
    throw new Error(`${route.path}: path and params disagree`)
  const body = route.body === undefined ? [] : isBinary(route.body) ? ['bytes'] : Object.keys(route.body.shape)
  const names = [...params, ...Object.keys(route.query?.shape ?? {}), ...body]
  if (new Set(names).size !== names.length) throw new Error(`${route.path}: a name is used twice`)
  return route
}

export function isBinary(body: z.ZodObject | BinaryBody): body is BinaryBody {
  return 'rowBytes' in body
}

/** Why a binary body can't have this length, or undefined. */
export function findRowsFault({ rowBytes, maxRows }: BinaryBody, length: number): string | undefined {
  const fits = length > 0 && length % rowBytes === 0 && length <= rowBytes * maxRows
  return fits ? undefined : `must be 1 to ${maxRows} rows of ${rowBytes} bytes`
}
