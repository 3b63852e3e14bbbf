// node-oidc-provider with one client and one API: in memory, JWT access tokens, ES256. Argument: the port.
import { generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import Provider from 'oidc-provider'

const AUDIENCE = 'http://localhost:8001'
const port = Number(process.argv[2])
const { privateKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' })

const provider = new Provider(`http://localhost:${port}`, {
  clients: [
    {
      client_id: 'bench-bot',
      client_secret: process.env.BENCH_SECRET,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      scope: 'notes:read',
    },
  ],
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256' }] },
  scopes: ['notes:read'],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => AUDIENCE,
      getResourceServerInfo: () => ({
        scope: 'notes:read',
        audience: AUDIENCE,
        accessTokenTTL: 300,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
})

provider.listen(port, '127.0.0.1')
