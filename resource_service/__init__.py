"""The notes API: a resource server with a database of its own, which believes the issuer's tokens offline."""
