// Preloaded to make a process in which tiny-secp256k1 is not installed.
const { Module } = require('node:module')

const resolve = Module._resolveFilename
Module._resolveFilename = (request, ...rest) => {
  if (request === 'tiny-secp256k1') throw new Error('not installed')
  return resolve(request, ...rest)
}
