"""The services behind a TLS proxy on loopback, for the tests with foreign clients and for a certification run."""
