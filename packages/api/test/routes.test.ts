import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  errorBody,
  errorBodyOf,
  errorCode,
  messageOf,
  overloaded,
  refusalCode,
  refuse,
  statusOf,
} from '../src/errors.ts'
import { msat, placeText, positionText, u32Text } from '../src/fields.ts'
import { defineRoute, isBinary, type Route } from '../src/route.ts'
import { type RouteName, routes } from '../src/routes.ts'
import { requests, responses } from './samples.ts'

const all = Object.entries<Route>(routes) as [RouteName, Route][]

describe('routes', () => {
  it.each(all)('%s: request and answer survive the wire', (name, route) => {
    const overWire = (schema: z.ZodType, value: unknown) =>
      schema.decode(JSON.parse(JSON.stringify(schema.encode(value))))
    expect(overWire(route.response, responses[name])).toEqual(responses[name])
    for (const part of [route.params, route.query, route.body]) {
      if (part === undefined || isBinary(part)) continue
      const fields = Object.fromEntries(
        Object.keys(part.shape).map((field) => [field, (requests[name] as Record<string, unknown>)[field]]),
      )
      expect(overWire(part, fields)).toEqual(fields)
    }
  })

  it('never share a method and a path', () => {
    const addresses = all.map(([, { method, path }]) => `${method} ${path.replace(/:\w+/g, ':')}`)
    expect(new Set(addresses).size).toBe(addresses.length)
  })

  it('have named schemas that a JSON Schema document can be made of', () => {
    for (const [, { response }] of all) {
      const schema = z.toJSONSchema(response, { io: 'input' })
      expect(schema.id ?? schema.$ref).toBeDefined()
    }
  })

  it('are refused when path and parameters disagree, or a name is used twice', () => {
    const route = { method: 'GET', summary: '', response: z.object({}) } as const
    const key = z.strictObject({ key: z.string() })
    expect(() => defineRoute({ ...route, path: '/a/:other', params: key })).toThrow('disagree')
    expect(() => defineRoute({ ...route, path: '/a', params: key })).toThrow('disagree')
    expect(() => defineRoute({ ...route, path: '/a/:key', params: key, query: key })).toThrow('twice')
  })

  const wrongRequests: [RouteName, 'params' | 'query' | 'body', Record<string, unknown>][] = [
    ['account', 'params', { key: 'AB'.repeat(32) }],
    ['account', 'params', { key: 'ab'.repeat(31) }],
    ['account', 'params', { key: 'ab'.repeat(32), more: '1' }],
    ['batch', 'params', { number: '-1' }],
    ['batch', 'params', { number: '4294967296' }],
    ['batch', 'params', { number: '07' }],
    ['batch', 'params', { number: '1e3' }],
    ['batches', 'query', { limit: '0' }],
    ['batches', 'query', { limit: '201' }],
    ['batches', 'query', { after: '1' }],
    ['accountHistory', 'query', { before: '7' }],
    ['accountHistory', 'query', { before: '7-9999999999' }],
    ['deposits', 'query', { before: '1-2-3-4' }],
    ['submitTransfer', 'body', { transfer: 'ab'.repeat(173) }],
    ['submitTransfer', 'body', { transfer: `${'ab'.repeat(174)}\n` }],
    ['submitTransfer', 'body', { transfer: 'ab'.repeat(174), id: 1 }],
  ]
  it.each(wrongRequests)('%s refuses a wrong %s: %o', (name, part, value) => {
    const schema = (routes[name] as Route)[part] as z.ZodObject
    expect(schema.safeDecode(value).success).toBe(false)
  })
})

describe('fields', () => {
  it('carry a u64 as a decimal string, to the last digit', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
        expect(msat.encode(value)).toBe(value.toString())
        expect(msat.decode(value.toString())).toBe(value)
      }),
    )
    for (const text of ['18446744073709551616', '-1', '01', '1.0', '1e3', '', ' 1', '0x10']) {
      expect(msat.safeDecode(text).success).toBe(false)
    }
    expect(msat.safeDecode(1 as never).success).toBe(false)
  })

  it('carry places and positions as text', () => {
    const u32 = fc.nat(0xffffffff)
    fc.assert(
      fc.property(u32, u32, u32, (height, tx, index) => {
        expect(positionText.decode(positionText.encode({ height, tx, index }))).toEqual({ height, tx, index })
        expect(placeText.decode(placeText.encode({ batch: height, index: tx }))).toEqual({ batch: height, index: tx })
        expect(u32Text.decode(u32Text.encode(height))).toBe(height)
      }),
    )
  })

  it('refuse parameters that are no network, with the reason', () => {
    const wire = routes.params.response.encode(responses.params)
    const result = routes.params.response.safeDecode({ ...wire, params: { ...wire.params, scanHeight: -1 } })
    expect(result.error?.issues[0]?.message).toBe('params: scanHeight must be a u32')
  })
})

describe('errors', () => {
  it('each have a status and a sentence', () => {
    for (const code of errorCode.options) {
      expect(statusOf(code)).toBeGreaterThanOrEqual(400)
      expect(messageOf(code)).toMatch(/^[A-Z].{20,}\.$/)
      expect(errorBody.parse(errorBodyOf({ code }))).toEqual({ error: { code, message: messageOf(code) } })
    }
  })

  it('name the refusals of a transfer as the transition does', () => {
    expect(refusalCode.options).toEqual(expect.arrayContaining(['nonce-used', 'insufficient-funds', 'bad-signature']))
    expect(refuse('nonce-ahead', { expected: '7' })).toEqual({
      ok: false,
      fault: { code: 'nonce-ahead', details: { expected: '7' } },
    })
    expect(overloaded(250)).toEqual({ ok: false, fault: { code: 'overloaded', details: { retryAfterMs: 250 } } })
  })
})
