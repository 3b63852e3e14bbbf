"""Read the challenge of an API that refused a token (RFC 6750 §3)."""

from urllib.request import parse_http_list

import httpx

MAX_CHALLENGE_LENGTH = 4096
"""Characters of all WWW-Authenticate headers that are read."""


def is_invalid_token(response: httpx.Response) -> bool:
    """Whether the API answered 401 with a Bearer challenge whose `error` is `invalid_token`."""
    if response.status_code != 401:
        return False
    text = ", ".join(response.headers.get_list("WWW-Authenticate"))
    return len(text) <= MAX_CHALLENGE_LENGTH and ("bearer", "error", "invalid_token") in _parameters(text)


def _parameters(challenges: str) -> list[tuple[str, str, str]]:
    """Scheme, name and value of each parameter, scheme and name in lower case (RFC 9110 §11.6.1)."""
    scheme, found = "", []
    for part in parse_http_list(challenges):
        name, _, value = part.partition("=")
        first, space, rest = name.strip().partition(" ")
        if space or not value:  # a new challenge begins: "Bearer realm" or "Negotiate"
            scheme, name = first.lower(), rest
        found.append((scheme, name.strip().lower(), value.strip().strip('"')))
    return found
