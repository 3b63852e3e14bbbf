"""Tools for HTTP that do not depend on clients, users or tokens: forms, cookies, signed state, redirects, OpenAPI."""
