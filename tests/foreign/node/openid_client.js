// openid-client, as a server-side app uses it. Every ID Token's signature is checked, too, not only its claims.
import assert from 'node:assert/strict'
import * as client from 'openid-client'
import { privateKey, run } from './flows.js'
import { Person } from './person.js'

const SCOPE = 'openid profile email offline_access'

async function discover(setup, client_id, authentication, metadata = {}) {
  const options = { execute: [client.enableNonRepudiationChecks] }
  return client.discovery(new URL(setup.issuer), client_id, metadata, authentication, options)
}

// Sign in: from the link of the app to the URL (or the form) that the browser is redirected to.
async function authorize(config, setup, { person = new Person(setup), ...parameters } = {}) {
  const kept = {
    pkceCodeVerifier: client.randomPKCECodeVerifier(),
    expectedState: client.randomState(),
    expectedNonce: client.randomNonce(),
    idTokenExpected: true,
  }
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: setup.redirect_uri,
    scope: SCOPE,
    code_challenge: await client.calculatePKCECodeChallenge(kept.pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: kept.expectedState,
    nonce: kept.expectedNonce,
    ...parameters,
  })
  return { cameBack: await person.open(url), kept }
}

async function signIn(config, setup, parameters) {
  const { cameBack, kept } = await authorize(config, setup, parameters)
  return client.authorizationCodeGrant(config, cameBack, kept)
}

// The requests of a signed-in app: userinfo, refresh, userinfo again, and revocation.
async function wholeWay(config, setup, parameters) {
  const tokens = await signIn(config, setup, parameters)
  const { sub } = tokens.claims()
  const user = await client.fetchUserInfo(config, tokens.access_token, sub)
  assert.equal(user.email, setup.account.username)
  assert.equal(user.name, 'Ada Lovelace')

  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token)
  assert.equal(refreshed.claims().sub, sub)
  assert.equal((await client.fetchUserInfo(config, refreshed.access_token, sub)).sub, sub)

  await client.tokenRevocation(config, refreshed.refresh_token)
  await assert.rejects(client.refreshTokenGrant(config, refreshed.refresh_token), { error: 'invalid_grant' })
}

const secretOf = (setup, client_id) => setup.secrets[client_id]

await run({
  async code_with_client_secret_basic(setup) {
    await wholeWay(await discover(setup, 'basic', client.ClientSecretBasic(secretOf(setup, 'basic'))), setup)
  },

  async code_with_client_secret_post(setup) {
    await wholeWay(await discover(setup, 'post', client.ClientSecretPost(secretOf(setup, 'post'))), setup)
  },

  async code_of_a_public_client(setup) {
    await wholeWay(await discover(setup, 'public', client.None()), setup)
  },

  async an_answer_of_another_issuer_or_with_another_nonce_is_not_taken(setup) {
    const config = await discover(setup, 'basic', client.ClientSecretBasic(secretOf(setup, 'basic')))
    const { cameBack, kept } = await authorize(config, setup)
    const changed = (change) => {
      const url = new URL(cameBack)
      change(url.searchParams)
      return client.authorizationCodeGrant(config, url, kept)
    }
    const because = (what) => (refusal) => refusal.cause.message.includes(what)
    await assert.rejects(changed((answer) => answer.set('iss', 'https://elsewhere.example')), because('"iss"'))
    await assert.rejects(changed((answer) => answer.delete('iss')), because('"iss"'))
    await assert.rejects(changed((answer) => answer.set('state', 'another')), because('"state"'))
    const another = { ...kept, expectedNonce: 'another' }
    await assert.rejects(client.authorizationCodeGrant(config, cameBack, another), because('"nonce"'))
  },

  async introspection(setup) {
    const config = await discover(setup, 'basic', client.ClientSecretBasic(secretOf(setup, 'basic')))
    const tokens = await signIn(config, setup)
    const active = await client.tokenIntrospection(config, tokens.access_token)
    assert.equal(active.active, true)
    assert.equal(active.client_id, 'basic')
    assert.equal(active.sub, tokens.claims().sub)
    await client.tokenRevocation(config, tokens.refresh_token)
    assert.deepEqual(await client.tokenIntrospection(config, tokens.access_token), { active: false })
  },

  async rp_initiated_logout(setup) {
    const config = await discover(setup, 'basic', client.ClientSecretBasic(secretOf(setup, 'basic')))
    const person = new Person(setup)
    const tokens = await signIn(config, setup, { person, scope: 'openid' })
    const url = client.buildEndSessionUrl(config, {
      id_token_hint: tokens.id_token,
      post_logout_redirect_uri: setup.post_logout_redirect_uri,
      state: 'left',
    })
    assert.equal(String(await person.open(url)), `${setup.post_logout_redirect_uri}?state=left`)
    await assert.rejects(client.refreshTokenGrant(config, tokens.refresh_token), { error: 'invalid_grant' })
    const { cameBack } = await authorize(config, setup, { person, prompt: 'none' })
    assert.equal(cameBack.searchParams.get('error'), 'login_required')
  },

  async client_credentials(setup) {
    const config = await discover(setup, 'bot', client.ClientSecretBasic(secretOf(setup, 'bot')))
    const tokens = await client.clientCredentialsGrant(config, { scope: 'notes:read' })
    assert.equal(tokens.token_type, 'bearer') // as the library spells it
    assert.equal((await client.tokenIntrospection(config, tokens.access_token)).sub, 'bot')
  },

  // Flows that single tests call.

  async code_with_private_key_jwt(setup) {
    const key = { key: await privateKey(setup.private_key), kid: "the client's own" }
    await wholeWay(await discover(setup, 'private_key_jwt', client.PrivateKeyJwt(key)), setup)
  },

  async form_post(setup) {
    const config = await discover(setup, 'basic', client.ClientSecretBasic(secretOf(setup, 'basic')))
    await wholeWay(config, setup, { response_mode: 'form_post' })
  },

  async dynamic_registration(setup) {
    const config = await register(setup, {})
    assert.match(config.clientMetadata().client_id, /./)
    await wholeWay(config, setup)
  },

  async id_tokens_signed_with_rs256(setup) {
    const config = await register(setup, { id_token_signed_response_alg: 'RS256' })
    const tokens = await signIn(config, setup)
    assert.equal(headerOf(tokens.id_token).alg, 'RS256')
    assert.equal(headerOf((await client.refreshTokenGrant(config, tokens.refresh_token)).id_token).alg, 'RS256')
  },

  async signed_userinfo(setup) {
    for (const alg of ['ES256', 'RS256']) {
      const config = await register(setup, { userinfo_signed_response_alg: alg })
      const tokens = await signIn(config, setup)
      const user = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)
      assert.equal(user.email, setup.account.username)
      assert.equal(user.iss, setup.issuer)
    }
  },
})

async function register(setup, metadata) {
  const options = { execute: [client.enableNonRepudiationChecks] }
  const asked = {
    client_name: 'Somebody new',
    redirect_uris: [setup.redirect_uri],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'client_secret_post', // what the library does with a secret that it is given
    ...metadata,
  }
  return client.dynamicClientRegistration(new URL(setup.issuer), asked, undefined, options)
}

function headerOf(jwt) {
  return JSON.parse(Buffer.from(jwt.split('.')[0], 'base64url'))
}
