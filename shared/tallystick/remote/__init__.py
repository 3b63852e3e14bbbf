"""Fetch an issuer's keys and status lists in the background, and keep the last good version of each.

Everything here runs on one event loop: that of the app, or one in a thread of its own. `RemoteIssuer.keys` and
`RemoteIssuer.statuses` are immutable and may be read from any thread.
"""
