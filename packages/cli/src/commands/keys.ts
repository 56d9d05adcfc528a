import { Command, Option } from 'commander'
import { createKeys, type KeysRole, publicKeys, readKeys } from '../keys-file.ts'

export function keysCommand(): Command {
  const command = new Command('keys').description("a node's secrets, in a file that only its owner can read")
  command
    .command('new')
    .description('make new secrets, and print their public keys')
    .argument('<FILE>', 'where to write them; must not exist')
    .addOption(
      new Option('--role <ROLE>', 'whose they are; a watcher is a challenger that holds a key of the vault')
        .choices(['sequencer', 'challenger', 'watcher'] as const)
        .default('challenger'),
    )
    .addHelpText('after', '\nExample:\n  kedge keys new keys.json --role sequencer')
    .action((file: string, { role }: { role: KeysRole }) => print(publicKeys(createKeys(file, role))))
  command
    .command('show')
    .description('print the public keys of a file: x-only, as hex')
    .argument('<FILE>', 'the secrets')
    .addHelpText('after', '\nExample:\n  kedge keys show keys.json')
    .action((file: string) => print(publicKeys(readKeys(file))))
  return command.addHelpText(
    'after',
    '\nExamples:\n  kedge keys new keys.json --role sequencer\n  kedge keys show keys.json',
  )
}

function print(keys: Readonly<Record<string, string>>): void {
  process.stdout.write(`${JSON.stringify(keys, null, 2)}\n`)
}
