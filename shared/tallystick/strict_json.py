"""JSON from strangers: one object, and only one way to read it (RFC 8259, RFC 8725 §2.4, §3.7)."""

import json
import math
from typing import NoReturn

MAX_DEPTH = 16
"""Objects and arrays within one another. Nothing in OAuth comes near; far more exhausts the stack of who prints it."""


def parse_object(document: bytes) -> dict[str, object]:
    """The JSON object in `document`. The caller has bounded its length.

    Raises ValueError for anything but UTF-8, a byte order mark, a name that occurs twice, a number that is not
    finite, half of a surrogate pair, too much depth, and a document that is not an object.
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
    # Both checks walk the whole value, and both can only fail where these characters are.
    if text.count("{") + text.count("[") > MAX_DEPTH:
        _check_depth(value, MAX_DEPTH)
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name occurs twice")
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
