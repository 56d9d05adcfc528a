// Preloaded to make a process in which @chainsafe/hashtree has no build for the platform.
const { Module } = require('node:module')

const resolve = Module._resolveFilename
Module._resolveFilename = (request, ...rest) => {
  if (request.startsWith('@chainsafe/hashtree')) throw new Error('Cannot find native binding')
  return resolve(request, ...rest)
}
