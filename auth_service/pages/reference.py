"""The short form of a request id that an error page shows."""

_LENGTH = 12
"""Characters. Our ids are hexadecimal, so these are 48 random bits: unique among the log lines of a year."""
_GROUP = 4


def reference(request_id: str) -> tuple[str, ...]:
    """The first characters of `request_id` in groups, which the page shows with gaps; empty for no id.

    The groups without gaps are a prefix of the id, so a search in the log finds the request.
    """
    short = request_id[:_LENGTH]
    return tuple(short[start : start + _GROUP] for start in range(0, len(short), _GROUP))
