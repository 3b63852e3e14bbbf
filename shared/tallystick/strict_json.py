"""Parse an untrusted JSON object, and refuse what parsers could disagree about (RFC 8259, RFC 8725 §2.4, §3.7)."""

import json
import math
from typing import NoReturn

MAX_DEPTH = 16
"""Nested objects and arrays. OAuth needs far fewer; very deep values exhaust the stack of code that serializes them."""


def parse_object(document: bytes) -> dict[str, object]:
    """The JSON object in `document`. The caller bounds its length.

    Raises ValueError for any encoding but UTF-8, a byte order mark, a duplicate member name, a number that is not
    finite, half of a surrogate pair, too many levels, and a document that is not an object.
    """
    text = document.decode("utf-8")
    try:
        value = json.loads(
            text, object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant, parse_float=_finite_float
        )
    except RecursionError as too_deep:
        raise ValueError("nested too deeply") from too_deep
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    # Both checks visit the whole value, so they run only if these characters make a failure possible.
    if text.count("{") + text.count("[") > MAX_DEPTH:
        _check_depth(value, MAX_DEPTH)
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member name occurs twice")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is out of range")
    return number


def _check_depth(value: object, levels_left: int) -> None:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if children is None:
        return
    if levels_left == 0:
        raise ValueError("nested too deeply")
    for child in children:
        _check_depth(child, levels_left - 1)
