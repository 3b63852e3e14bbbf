// Signs the user in with oidc-client-ts, and calls the notes API. The tokens are in the memory of this page only.
const config = await (await fetch('config.json')).json()
const here = `${location.origin}/`
const manager = new oidc.UserManager({
  authority: config.issuer,
  client_id: config.client_id,
  redirect_uri: here,
  post_logout_redirect_uri: here,
  scope: 'openid profile email notes:read notes:write',
  loadUserInfo: true, // name and email are not in the ID Token
  automaticSilentRenew: true, // by the refresh token, before the access token expires
  revokeTokensOnSignout: true,
  userStore: new oidc.WebStorageStateStore({ store: new oidc.InMemoryWebStorage() }),
  // The state and the code verifier of an unfinished sign-in have to survive the redirect. They are of no use after it.
  stateStore: new oidc.WebStorageStateStore({ store: sessionStorage }),
})

const MESSAGES = {
  access_denied: 'You chose not to let this app in. Nothing has changed.',
  login_required: '', // the response to a silent sign-in, for a browser that is not signed in
  consent_required: 'Sign in to continue. The sign-in service asks you for your consent first.',
  temporarily_unavailable: 'The sign-in service is busy. Try again in a moment.',
}
const element = (id) => document.getElementById(id)

async function start() {
  const response = new URLSearchParams(location.search)
  history.replaceState(null, '', here) // the code does not stay in the address
  if (response.has('code') || response.has('error')) {
    if (response.get('iss') !== config.issuer) return showSignedOut('The response is of another sign-in service.') // RFC 9207
    return showSignedIn(await manager.signinCallback(`${here}?${response}`))
  }
  if (response.has('state')) {
    await manager.signoutCallback(`${here}?${response}`)
    return showSignedOut('You are signed out of all apps in this browser.')
  }
  // A redirect of the whole page, because browsers send no cookie of the issuer from a hidden frame. The issuer answers
  // without a page. After its response no second redirect follows, so this is no loop.
  await manager.signinRedirect({ prompt: 'none' })
}

function showSignedOut(message) {
  element('signed-in').hidden = element('who').hidden = true
  element('signed-out').hidden = false
  element('message').textContent = message
}

async function showSignedIn(user) {
  element('user-name').textContent = user.profile.name ?? user.profile.sub
  element('user-email').textContent = user.profile.email ?? ''
  element('signed-in').hidden = element('who').hidden = false
  await showNotes()
}

async function showNotes() {
  const { notes } = await (await callApi('/notes?limit=100')).json()
  // textContent, never innerHTML: a title is text, and a script in it would have the tokens of this page.
  element('notes').replaceChildren(
    ...notes.map(({ title }) => Object.assign(document.createElement('li'), { textContent: title })),
  )
  element('empty').hidden = notes.length > 0
}

async function addNote(title) {
  const body = JSON.stringify({ title, body: '' })
  await callApi('/notes', { method: 'POST', body, headers: { 'Content-Type': 'application/json' } })
  element('new-note').reset()
  await showNotes()
}

// Call the API; after a 401, which a revoked token gets, once more with a new token.
async function callApi(path, options = {}) {
  let user = await manager.getUser()
  for (const isLast of [false, true]) {
    const headers = { ...options.headers, Authorization: `Bearer ${user.access_token}` }
    const response = await fetch(config.api + path, { ...options, headers })
    if (response.ok) return response
    if (response.status !== 401 || isLast) throw new Error(`The notes service answered ${response.status}.`)
    user = await manager.signinSilent()
  }
}

function onError(error) {
  if (error.error === 'invalid_grant') return showSignedOut('Your login has ended. Sign in to continue.')
  const message = MESSAGES[error.error] ?? (error.error ? `The sign-in failed: ${error.error}` : String(error.message))
  if (element('signed-in').hidden) showSignedOut(message)
  else element('message').textContent = message
}

function on(type, id, action) {
  element(id).addEventListener(type, (event) => {
    event.preventDefault()
    element('message').textContent = ''
    action().catch(onError)
  })
}

on('click', 'sign-in', () => manager.signinRedirect())
on('click', 'sign-out', () => manager.signoutRedirect({ state: 'signed out' })) // so that the redirect back has a state
on('submit', 'new-note', () => addNote(element('title').value))
manager.events.addSilentRenewError(onError)
start().catch(onError)
