import { expect, it } from 'vitest'
import { Gate } from '../src/gate.ts'

/** Work that ends when it is told to. */
function tasks(gate: Gate) {
  const begun: string[] = []
  const ends = new Map<string, (error?: Error) => void>()
  const start = (name: string, isFirst = false) =>
    gate.pass(() => {
      begun.push(name)
      return new Promise<string>((resolve, reject) => {
        ends.set(name, (error) => (error === undefined ? resolve(name) : reject(error)))
      })
    }, isFirst)
  return { begun, start, end: (name: string, error?: Error) => ends.get(name)?.(error) }
}

it('lets so many in at a time, and those first who come first or are to', async () => {
  const { begun, start, end } = tasks(new Gate(2))
  const done = [start('a'), start('b'), start('c'), start('d'), start('e', true)]
  expect(begun).toEqual(['a', 'b'])
  end('b')
  await expect.poll(() => begun).toEqual(['a', 'b', 'e'])
  end('a')
  await expect.poll(() => begun).toEqual(['a', 'b', 'e', 'c'])
  for (const name of ['e', 'c']) end(name)
  await expect.poll(() => begun.length).toBe(5)
  end('d')
  expect(await Promise.all(done)).toEqual(['a', 'b', 'c', 'd', 'e'])
})

it('lets the next one in where work fails', async () => {
  const { begun, start, end } = tasks(new Gate(1))
  const [first, second] = [start('a'), start('b')]
  end('a', new Error('broken'))
  await expect(first).rejects.toThrow('broken')
  await expect.poll(() => begun).toEqual(['a', 'b'])
  end('b')
  expect(await second).toBe('b')
})
