"""A notebook in the browser: sign in at the issuer, read and write notes through the API.

Started twice, for two domains, it shows single sign-on. Authlib plays the client, so nothing here leans on our own
code for the protocol. Tokens stay on this server; the browser holds a random id in an HttpOnly cookie.
"""
