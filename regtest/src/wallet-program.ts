import { type Ran, runKedge } from './kedge.ts'
import { writeWalletConfig } from './layout.ts'
import type { NodeProcess } from './node-process.ts'
import { expect } from './scenario.ts'
import type { Person, Stage } from './stage.ts'

/** `kedge wallet COMMAND ARGS --json`, as somebody runs it. */
export type Kedge = (command: string, ...args: string[]) => Promise<Ran>

/** Runs `kedge wallet` as somebody whose node is this one. */
export function walletOf(stage: Stage, person: Person, node: NodeProcess): Kedge {
  const { folder, bitcoind } = stage.network
  const { api } = node.ready
  const config = writeWalletConfig(folder, api, bitcoind.rpc)
  const settings = ['--config', config, '--node', api, '--wallet', person.wallet.path]
  return (command, ...args) => runKedge(['wallet', command, ...args, ...settings, '--json'])
}

export function readJson({ code, stdout, stderr }: Ran): unknown {
  expect(code === 0, `kedge ended with exit code ${code}: ${stdout}${stderr}`)
  return JSON.parse(stdout)
}
