"""Decide what happens to an authorization request. Nothing here reads HTTP requests or writes HTML.

The order: `authorizer` → `request_source` → `client` → `parameters` → `interaction` → `response`.
"""
