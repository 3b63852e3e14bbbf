"""A program for the command line that signs its user in with the browser (RFC 8252) and calls the notes API.

It is a public client: a program that is given to users can keep no secret. PKCE binds the code to the running program,
`state` binds the response to its request, and `iss` names the sender of the response.
"""
