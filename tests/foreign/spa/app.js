// oidc-client-ts as a single-page app uses it; `issuer` is in settings.js.
const here = `${location.origin}/`
const manager = new oidc.UserManager({
  authority: issuer,
  client_id: 'spa',
  redirect_uri: here,
  silent_redirect_uri: here,
  post_logout_redirect_uri: here,
  scope: 'openid profile email',
  loadUserInfo: true,
  automaticSilentRenew: false,
  revokeTokensOnSignout: true,
})

const put = (id, text) => (document.getElementById(id).textContent = text)

function onClick(id, action) {
  document.getElementById(id).addEventListener('click', () => action().catch((error) => put('error', error.error ?? error.message)))
}

async function renew() {
  const before = await manager.getUser()
  const after = await manager.signinSilent()
  if (after.access_token === before.access_token) throw new Error('the same access token again')
  if (after.profile.sub !== before.profile.sub) throw new Error('another user')
  put('renewed', Number(document.getElementById('renewed').textContent) + 1)
}

async function renewInAFrame() {
  const user = await manager.getUser()
  user.refresh_token = undefined
  await manager.storeUser(user)
  await manager.signinSilent()
}

async function start() {
  const answer = new URLSearchParams(location.search)
  if (answer.has('state')) {
    const user = await manager.signinCallback()
    if (!user) return // in the library's own frame or window, which it tells what came
    history.replaceState(null, '', here)
    show(user)
  }
}

function show(user) {
  put('email', user.profile.email)
  put('name', user.profile.name)
}

onClick('sign-in', () => manager.signinRedirect())
onClick('sign-in-in-a-window', async () => show(await manager.signinPopup()))
onClick('renew', renew)
onClick('renew-in-a-frame', renewInAFrame)
onClick('sign-out', () => manager.signoutRedirect())
start().catch((error) => put('error', error.message))
