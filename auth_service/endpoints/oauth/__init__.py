"""Endpoints that clients and APIs call, each named by an OAuth or OpenID Connect document."""
