// Runs one flow of a script. The first argument is its name, the second is the file that describes the provider.
import { readFile } from 'node:fs/promises'
import { webcrypto } from 'node:crypto'

globalThis.crypto ??= webcrypto // which Node.js 18 has, but not by this name

export async function run(flows) {
  const [, , name, file] = process.argv
  await flows[name](JSON.parse(await readFile(file)))
}

// An ES256 key from PEM, to sign with.
export function privateKey(pem) {
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64')
  return crypto.subtle.importKey('pkcs8', der, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
}
