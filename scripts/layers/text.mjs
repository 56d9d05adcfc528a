/** Rules for any text: code, documents, configuration. */

/** @typedef {import('../layers.mjs').Finding} Finding */

/** Each pattern is written so that it does not find itself. */
const RULES = [
  {
    rule: 'unfinished',
    pattern: /\b(?:TO[D]O|FIX[M]E|XX[X]|HA[C]K)\b/,
    message: 'finish it, or say in words what it does not do',
  },
  {
    rule: 'private-path',
    pattern: /(?<![\w.-])\/(?:root|home|Users|work|mnt)\/(?!(?:me|user)\b)[\w.-]/,
    message: 'a path of one machine; use one relative to the repository, or a temporary folder',
  },
  {
    rule: 'private-host',
    pattern:
      /https?:\/\/(?:[\w-]+\.)*(?:[\w-]*(?:registry|artifactory|nexus|proxy|mirror)[\w-]*\.|[\w-]+\.(?:internal|corp|lan)\b)/i,
    message: 'the address of a registry or of a private host; the settings of whoever runs this know theirs',
  },
]

/**
 * @param {{ path: string, text: string }} file
 * @returns {Finding[]}
 */
export function checkText({ path, text }) {
  return text.split('\n').flatMap((line, index) =>
    RULES.filter(({ pattern }) => pattern.test(line)).map(({ rule, message }) => {
      return { path, line: index + 1, rule, message }
    }),
  )
}
