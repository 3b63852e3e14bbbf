"""The If-None-Match header (RFC 9110 §13.1.2)."""

import re
from collections.abc import Sequence

_OPAQUE_TAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')


def matches_if_none_match(tag: str, if_none_match: Sequence[str]) -> bool:
    """Whether the header lines name the strong entity tag `tag`, by weak comparison: a proxy that compresses the
    response makes the tag weak."""
    return any(line.strip() == "*" or tag in _OPAQUE_TAG.findall(line) for line in if_none_match)
