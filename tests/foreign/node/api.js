// Verifies access tokens as an API with jose does. It reads {issuer, audience, jwks_uri, tokens} from the file of its
// argument, and prints a verdict for each token: "accepted" or "refused".
import { readFile } from 'node:fs/promises'
import { inflateSync } from 'node:zlib'
import { createRemoteJWKSet, jwtVerify } from 'jose'

export function createVerifier({ issuer, audience, jwks_uri }) {
  const keys = createRemoteJWKSet(new URL(jwks_uri))

  // Returns the claims of an access token (RFC 9068 §4), or throws.
  return async function verify(token) {
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience,
      typ: 'at+jwt',
      algorithms: ['ES256'],
      requiredClaims: ['exp', 'iat', 'sub', 'client_id', 'jti'],
    })
    if (await isRevoked(payload.status?.status_list)) throw new Error('the token is revoked')
    return payload
  }

  // Token Status List: one bit for each token family. An API keeps the list for two seconds and does not fetch it for
  // each request.
  async function isRevoked(reference) {
    if (reference === undefined) return false
    const { idx, uri } = reference
    if (!uri.startsWith(`${issuer}/`)) throw new Error('the status list is of another issuer')
    const { payload } = await jwtVerify(await (await fetch(uri)).text(), keys, {
      issuer,
      subject: uri,
      typ: 'statuslist+jwt',
      algorithms: ['ES256'],
      requiredClaims: ['exp', 'iat'],
    })
    const { bits, lst } = payload.status_list
    const list = inflateSync(Buffer.from(lst, 'base64url'), { maxOutputLength: 2 ** 24 })
    const position = idx * bits
    if (!Number.isInteger(idx) || idx < 0 || position >= 8 * list.length) throw new Error('the list has no such index')
    return ((list[position >> 3] >> (position & 7)) & (2 ** bits - 1)) !== 0
  }
}

const setup = JSON.parse(await readFile(process.argv[2]))
const verify = createVerifier(setup)
const verdicts = {}
for (const [kind, token] of Object.entries(setup.tokens)) {
  try {
    await verify(token)
    verdicts[kind] = 'accepted'
  } catch (error) {
    console.error(`jose refuses ${kind}: ${error.code ?? ''} ${error.message}`)
    verdicts[kind] = 'refused'
  }
}
console.log(JSON.stringify({ jose: verdicts }))
