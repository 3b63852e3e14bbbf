"""A notebook app: a user signs in at the issuer, and reads and writes notes through the notes API.

Two instances on two domains show single sign-on. The OpenID Connect client is Authlib, so the app does not depend on
this project's code for the protocol. Tokens stay on the server; the browser has a random session ID in an HttpOnly
cookie.
"""
