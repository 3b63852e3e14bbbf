"""The `scope` parameter (RFC 6749 §3.3): space-separated scopes, whose order has no meaning."""

import re

_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")


def parse_scope(scope: str) -> tuple[str, ...]:
    """The scopes in their order, each once. Raises ValueError for a character that RFC 6749 §3.3 forbids."""
    scopes = tuple(dict.fromkeys(word for word in scope.split(" ") if word))
    if not all(_SCOPE_TOKEN.fullmatch(word) for word in scopes):
        raise ValueError("a scope may hold only printable ASCII without double quote and backslash")
    return scopes
