"""If-Match and If-None-Match: what the caller believes about a note before it reads or writes it (RFC 9110 §13.1)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, HTTPException

_ENTITY_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')


def entity_tag(version: int) -> str:
    """Strong: one version of a note is always the same bytes."""
    return f'"{version}"'


class PreconditionFailed(HTTPException):
    def __init__(self) -> None:
        super().__init__(412, "the note is at another version than the preconditions ask for")


@dataclass(frozen=True)
class _Preconditions:
    """The values of both headers, one for each line. A line that is no list of entity-tags names none."""

    if_match: Sequence[str]
    if_none_match: Sequence[str]

    def match(self, version: int) -> bool:
        """If-Match, by the strong comparison: nobody writes by a weak tag."""
        return not self.if_match or _names(self.if_match, {entity_tag(version)})

    def none_match(self, version: int) -> bool:
        """If-None-Match, by the weak comparison: a proxy that compresses our answers weakens their tags."""
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
