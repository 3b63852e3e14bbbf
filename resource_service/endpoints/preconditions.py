"""If-Match and If-None-Match: the version of a note that a caller expects (RFC 9110 §13.1)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, HTTPException

_ENTITY_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')


def entity_tag(version: int) -> str:
    """A strong entity tag, because one version of a note is always the same bytes."""
    return f'"{version}"'


class PreconditionFailed(HTTPException):
    def __init__(self) -> None:
        super().__init__(412, "the note has another version than the preconditions require")


@dataclass(frozen=True)
class _Preconditions:
    """The lines of both headers. A line that is not a list of entity tags names none."""

    if_match: Sequence[str]
    if_none_match: Sequence[str]

    def match(self, version: int) -> bool:
        """If-Match, with the strong comparison: a weak tag never matches."""
        return not self.if_match or _names(self.if_match, {entity_tag(version)})

    def none_match(self, version: int) -> bool:
        """If-None-Match, with the weak comparison, because a proxy that compresses a response weakens its tag."""
        tag = entity_tag(version)
        return not _names(self.if_none_match, {tag, f"W/{tag}"})

    def may_write(self, version: int) -> bool:
        return self.match(version) and self.none_match(version)


async def _preconditions(
    if_match: Annotated[list[str], Header(default_factory=list)],
    if_none_match: Annotated[list[str], Header(default_factory=list)],
) -> _Preconditions:
    return _Preconditions(if_match, if_none_match)


Preconditions = Annotated[_Preconditions, Depends(_preconditions)]


def _names(lines: Sequence[str], tags: set[str]) -> bool:
    return any(line.strip() == "*" or not tags.isdisjoint(_ENTITY_TAG.findall(line)) for line in lines)
