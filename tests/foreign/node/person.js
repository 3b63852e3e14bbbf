// A person and their browser: it keeps cookies, follows redirects, and fills in the forms of the issuer's pages.
import assert from 'node:assert/strict'

export class Person {
  #cookies = new Map()

  constructor({ issuer, account }) {
    this.issuer = issuer
    this.account = account
  }

  // Opens one of the issuer's URLs and completes its pages. Returns the final target of the browser: a URL on another
  // origin; a Request, if a form is posted there; null, if the last page has no form.
  async open(url) {
    let { url: at, page } = await this.#follow(new URL(url))
    for (;;) {
      if (page === undefined) return at
      const form = formOn(page)
      if (form === undefined) return null
      const fields = new URLSearchParams(form.fields)
      if (page.includes('id="sign-in"')) {
        fields.set('username', this.account.username)
        fields.set('password', this.account.password)
      }
      if (page.includes('id="allow"')) fields.set('decision', 'allow')
      const action = new URL(form.action, at)
      if (action.origin !== this.issuer) return new Request(action, { method: 'POST', body: fields })
      ;({ url: at, page } = await this.#follow(action, { method: 'POST', body: fields }))
    }
  }

  async #follow(url, options) {
    let response = await this.#send(url, options)
    while (response.headers.has('location')) {
      url = new URL(response.headers.get('location'), url)
      if (url.origin !== this.issuer) return { url }
      response = await this.#send(url)
    }
    return { url, page: await response.text() }
  }

  async #send(url, options = {}) {
    const cookie = [...this.#cookies].map((pair) => pair.join('=')).join('; ')
    const headers = { cookie, ...(options.method === 'POST' && { origin: this.issuer }) }
    const response = await fetch(url, { ...options, headers, redirect: 'manual' })
    assert(response.status < 400, `${url.pathname} answered ${response.status}`)
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)
      this.#cookies.set(name, value)
    }
    return response
  }
}

function formOn(page) {
  const [, action] = /<form[^>]* action="([^"]*)"/.exec(page) ?? []
  if (action === undefined) return undefined
  const fields = {}
  for (const [input] of page.matchAll(/<input type="hidden"[^>]*>/g)) {
    fields[attribute(input, 'name')] = attribute(input, 'value')
  }
  return { action: unescape(action), fields }
}

function attribute(tag, name) {
  return unescape(new RegExp(` ${name}="([^"]*)"`).exec(tag)[1])
}

function unescape(text) {
  const characters = { amp: '&', lt: '<', gt: '>', quot: '"', '#34': '"', '#39': "'" }
  return text.replace(/&([^;]+);/g, (_, name) => characters[name])
}
