"""Clients of other projects, run against both services behind the TLS front."""
