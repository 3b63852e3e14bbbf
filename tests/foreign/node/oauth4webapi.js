// oauth4webapi, the low-level library: one call for each request and each response, with RFC 8414 metadata only.
import assert from 'node:assert/strict'
import * as oauth from 'oauth4webapi'
import { privateKey, run } from './flows.js'
import { Person } from './person.js'

async function discover(setup, algorithm = 'oauth2') {
  const issuer = new URL(setup.issuer)
  return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm }))
}

// The authorization response, and the values that the client keeps until it arrives.
async function authorize(as, client, setup, { person = new Person(setup), ...parameters } = {}) {
  const kept = {
    verifier: oauth.generateRandomCodeVerifier(),
    state: oauth.generateRandomState(),
    nonce: oauth.generateRandomNonce(),
  }
  const url = new URL(as.authorization_endpoint)
  url.search = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: setup.redirect_uri,
    response_type: 'code',
    scope: 'openid profile offline_access',
    code_challenge: await oauth.calculatePKCECodeChallenge(kept.verifier),
    code_challenge_method: 'S256',
    state: kept.state,
    nonce: kept.nonce,
    ...parameters,
  })
  return { cameBack: await person.open(url), kept }
}

async function signIn(as, client, authentication, setup, parameters) {
  const { cameBack, kept } = await authorize(as, client, setup, parameters)
  const answer = cameBack instanceof Request ? new URLSearchParams(await cameBack.text()) : cameBack
  const callback = oauth.validateAuthResponse(as, client, answer, kept.state)
  const response = await oauth.authorizationCodeGrantRequest(
    as,
    client,
    authentication,
    callback,
    setup.redirect_uri,
    kept.verifier,
  )
  const expected = { expectedNonce: kept.nonce, requireIdToken: true }
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, expected)
  await oauth.validateApplicationLevelSignature(as, response)
  return tokens
}

// Sign in, userinfo, refresh, introspection, revocation. Returns the tokens of the first sign-in.
async function wholeWay(as, client, authentication, setup, parameters) {
  const tokens = await signIn(as, client, authentication, setup, parameters)
  const { sub } = oauth.getValidatedIdTokenClaims(tokens)
  const userinfo = await oauth.userInfoRequest(as, client, tokens.access_token)
  assert.equal((await oauth.processUserInfoResponse(as, client, sub, userinfo)).name, 'Ada Lovelace')
  if (client.userinfo_signed_response_alg) await oauth.validateApplicationLevelSignature(as, userinfo)

  const response = await oauth.refreshTokenGrantRequest(as, client, authentication, tokens.refresh_token)
  const refreshed = await oauth.processRefreshTokenResponse(as, client, response)
  await oauth.validateApplicationLevelSignature(as, response)
  assert.equal(oauth.getValidatedIdTokenClaims(refreshed).sub, sub)

  const isPublic = client.client_id === 'public' // who has nothing to authenticate by may not introspect
  if (!isPublic) assert.equal(await isActive(as, client, authentication, refreshed.access_token), true)
  const revocation = await oauth.revocationRequest(as, client, authentication, refreshed.refresh_token)
  await oauth.processRevocationResponse(revocation)
  if (!isPublic) assert.equal(await isActive(as, client, authentication, refreshed.access_token), false)
  const dead = await oauth.userInfoRequest(as, client, refreshed.access_token)
  await assert.rejects(oauth.processUserInfoResponse(as, client, sub, dead), (refusal) => {
    assert.equal(refusal.cause[0].scheme, 'bearer')
    assert.equal(refusal.cause[0].parameters.error, 'invalid_token')
    return true
  })
  return tokens
}

async function isActive(as, client, authentication, token) {
  const response = await oauth.introspectionRequest(as, client, authentication, token)
  return (await oauth.processIntrospectionResponse(as, client, response)).active
}

// Verify an access token as an API that uses this library does (RFC 9068).
async function verifyAccessToken(as, access_token, audience) {
  const request = new Request(audience, { headers: { authorization: `Bearer ${access_token}` } })
  return oauth.validateJwtAccessToken(as, request, audience)
}

async function register(as, metadata) {
  const response = await oauth.dynamicClientRegistrationRequest(as, metadata)
  return oauth.processDynamicClientRegistrationResponse(response)
}

await run({
  async code_with_client_secret_basic(setup) {
    const authentication = oauth.ClientSecretBasic(setup.secrets.basic)
    await wholeWay(await discover(setup), { client_id: 'basic' }, authentication, setup)
  },

  async code_with_client_secret_post(setup) {
    const authentication = oauth.ClientSecretPost(setup.secrets.post)
    await wholeWay(await discover(setup, 'oidc'), { client_id: 'post' }, authentication, setup)
  },

  async code_of_a_public_client(setup) {
    await wholeWay(await discover(setup), { client_id: 'public' }, oauth.None(), setup)
  },

  async an_answer_of_another_issuer_is_not_taken(setup) {
    const as = await discover(setup)
    const client = { client_id: 'public' }
    const { cameBack, kept } = await authorize(as, client, setup)
    const another = { ...as, issuer: 'https://elsewhere.example' }
    assert.throws(() => oauth.validateAuthResponse(another, client, cameBack, kept.state), /"iss"/)
    cameBack.searchParams.delete('iss')
    assert.throws(() => oauth.validateAuthResponse(as, client, cameBack, kept.state), /"iss"/)
  },

  async a_refusal_comes_back_as_one(setup) {
    const as = await discover(setup)
    const client = { client_id: 'public' }
    const { cameBack, kept } = await authorize(as, client, setup, { prompt: 'none' })
    const refusal = { error: 'login_required' }
    assert.throws(() => oauth.validateAuthResponse(as, client, cameBack, kept.state), refusal)
  },

  async client_credentials_for_an_api(setup) {
    const as = await discover(setup)
    const client = { client_id: 'bot' }
    const authentication = oauth.ClientSecretBasic(setup.secrets.bot)
    const parameters = { scope: 'notes:read' }
    const response = await oauth.clientCredentialsGrantRequest(as, client, authentication, parameters)
    const tokens = await oauth.processClientCredentialsResponse(as, client, response)
    const claims = await verifyAccessToken(as, tokens.access_token, setup.notes)
    assert.equal(claims.client_id, 'bot')
    assert.equal(claims.scope, 'notes:read')
    await assert.rejects(verifyAccessToken(as, tokens.access_token, 'https://other.example'), /"aud"/)
  },

  // Flows that single tests call.

  async code_with_private_key_jwt(setup) {
    const key = { key: await privateKey(setup.private_key), kid: "the client's own" }
    await wholeWay(await discover(setup), { client_id: 'private_key_jwt' }, oauth.PrivateKeyJwt(key), setup)
  },

  async form_post(setup) {
    const authentication = oauth.ClientSecretBasic(setup.secrets.basic)
    const parameters = { response_mode: 'form_post' }
    await wholeWay(await discover(setup), { client_id: 'basic' }, authentication, setup, parameters)
  },

  async dynamic_registration(setup) {
    const as = await discover(setup)
    const client = await register(as, {
      redirect_uris: [setup.redirect_uri],
      grant_types: ['authorization_code', 'refresh_token'],
      userinfo_signed_response_alg: 'ES256',
    })
    const tokens = await wholeWay(as, client, oauth.ClientSecretBasic(client.client_secret), setup)
    assert.equal(headerOf(tokens.id_token).alg, 'RS256') // what OpenID Connect means by naming none
    const { registration_client_uri: uri, registration_access_token: token } = client
    const gone = await fetch(uri, { method: 'DELETE', headers: { authorization: `Bearer ${token}` } })
    assert.equal(gone.status, 204)
  },
})

function headerOf(jwt) {
  return JSON.parse(Buffer.from(jwt.split('.')[0], 'base64url'))
}
