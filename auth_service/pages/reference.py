"""The short form of a request id that an error page shows."""

_LENGTH = 12
"""Characters. Ids that we make are hexadecimal: 48 random bits still name one request among a year's log lines."""
_GROUP = 4


def reference(request_id: str) -> tuple[str, ...]:
    """The first characters of `request_id` in groups, for the page to set apart; empty for no id.

    Joined without spaces the groups are a prefix of the id, so a search in the log finds the request.
    """
    short = request_id[:_LENGTH]
    return tuple(short[start : start + _GROUP] for start in range(0, len(short), _GROUP))
