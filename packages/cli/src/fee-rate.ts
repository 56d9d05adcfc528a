import { InvalidArgumentError } from 'commander'

/** sat/vB, as people type it. @throws InvalidArgumentError */
export function parseRate(text: string): number {
  const rate = Number(text)
  if (!/^[0-9]{1,4}(\.[0-9]{1,3})?$/.test(text) || rate <= 0)
    throw new InvalidArgumentError('It must be sat/vB, such as 2 or 1.5.')
  return rate
}
