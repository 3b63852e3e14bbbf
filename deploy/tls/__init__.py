"""The pair behind a TLS proxy on this machine's loopback, for tests and for a certification run from outside."""
