"""The rows of a file of users: a JSON array, JSON lines or CSV. Memory is bounded for a file of any length."""

import csv
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from tallystick.strict_json import parse_object

MAX_ROW_BYTES = 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_TOO_LONG = "\0too long"

_OUTSIDE_STRING = re.compile(rb'["{}\[\]]')
_BETWEEN_ELEMENTS = re.compile(rb'["{}\[\],]')
_INSIDE_STRING = re.compile(rb'["\\]')


class Unreadable(Exception):
    """The file as a whole, or the rest of it, cannot be read. `str()` shows nothing of its content."""


@dataclass(frozen=True)
class Row:
    """`number` is the line in a text file, and the position in a JSON array, from 1. `values` is None for a row that
    cannot be read; then `reason` says why. The values of CSV are text.
    """

    number: int
    values: Mapping[str, object] | None
    reason: str = ""


def read_rows(file: BinaryIO, check_columns: Callable[[Collection[str]], None]) -> Iterator[Row]:
    """The rows of a seekable file. Its first character tells the format: `[`, `{`, or the header line of CSV.

    `check_columns` is called with the names in a header line, and may raise Unreadable. Raises Unreadable, also after
    some rows.
    """
    head = file.read(_CHUNK_BYTES)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head[:4]:
        raise Unreadable("is not UTF-8 text")
    start = len(_BOM) if head.startswith(_BOM) else 0
    first = head[start:].lstrip(_SPACE)[:1]
    if not first:
        raise Unreadable("has no rows")
    file.seek(start)
    if first == b"[":
        return _array_rows(file)
    return _line_rows(file) if first == b"{" else _csv_rows(file, check_columns)


def _array_rows(file: BinaryIO) -> Iterator[Row]:
    for number, document in enumerate(json_elements(file), start=1):
        yield _parsed(number, document)


def _line_rows(file: BinaryIO) -> Iterator[Row]:
    for number, line in enumerate(_bounded_lines(file), start=1):
        if line is None or line.strip(_SPACE):
            yield _parsed(number, line)


def _parsed(number: int, document: bytes | None) -> Row:
    if document is None:
        return Row(number, None, f"is longer than {MAX_ROW_BYTES} bytes")
    try:
        return Row(number, parse_object(document))
    except ValueError:
        return Row(number, None, "is not a JSON object in UTF-8 with each name once")


def _csv_rows(file: BinaryIO, check_columns: Callable[[Collection[str]], None]) -> Iterator[Row]:
    lines = (_TOO_LONG if line is None else line.decode(errors="surrogateescape") for line in _bounded_lines(file))
    header_line = next(lines)
    delimiter = max(",;\t", key=header_line.count)
    try:
        columns = [name.strip() for name in next(csv.reader([header_line], delimiter=delimiter, strict=True))]
    except csv.Error:
        raise Unreadable("has a malformed header line") from None
    if len(set(columns)) != len(columns) or not all(columns):
        raise Unreadable("has a header line with an empty name, or with a name twice")
    check_columns(columns)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        number = reader.line_num + 2
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield Row(number, None, "is malformed, or has a field of more than 131072 characters")
            continue
        if not cells:
            continue
        text = "".join(cells)
        if _TOO_LONG in text:
            yield Row(number, None, f"is longer than {MAX_ROW_BYTES} bytes")
        elif len(cells) != len(columns):
            yield Row(number, None, f"has {len(cells)} fields, where the header line has {len(columns)}")
        elif not _is_unicode(text):
            yield Row(number, None, "is not UTF-8 text")
        else:
            yield Row(number, dict(zip(columns, cells, strict=True)))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _bounded_lines(file: BinaryIO) -> Iterator[bytes | None]:
    """Each line of the rest of the file, or None for one that is longer than MAX_ROW_BYTES."""
    while line := file.readline(MAX_ROW_BYTES):
        if len(line) < MAX_ROW_BYTES or line.endswith(b"\n"):
            yield line
            continue
        while (rest := file.readline(MAX_ROW_BYTES)) and not rest.endswith(b"\n"):
            pass
        yield None


def json_elements(file: BinaryIO) -> Iterator[bytes | None]:
    """The text of each element of a JSON array. None for an element that is longer than MAX_ROW_BYTES.

    Only brackets, strings and the commas between elements are looked at: an element may be malformed. Empty elements
    are skipped. Raises Unreadable when the array does not end, and for text after it.
    """
    depth, in_string = 0, False
    kept: bytearray | None = bytearray()
    while chunk := file.read(_CHUNK_BYTES):
        position = taken = 0
        while match := _next_token(depth, in_string).search(chunk, position):
            position = match.end()
            character = match[0]
            if character == b"\\":
                if position == len(chunk):
                    chunk += file.read(1)  # the escaped character is never the end of a string
                position += 1
            elif character == b'"':
                in_string = not in_string
            elif character in b"{[":
                depth += 1
                if depth == 1:
                    kept, taken = bytearray(), position
            else:
                depth -= character != b","
                if depth > 1:
                    continue
                is_nested = depth == 1 and character != b","  # its last bracket is part of the element
                kept = _kept(kept, chunk[taken : position if is_nested else match.start()])
                if kept is None or kept:
                    yield None if kept is None else bytes(kept)
                kept, taken = bytearray(), position
                if depth == 0:
                    if (chunk[position:] + file.read(_CHUNK_BYTES)).strip(_SPACE):
                        raise Unreadable("goes on after the end of the array")
                    return
        kept = _kept(kept, chunk[taken:])
    raise Unreadable("ends within the array")


def _next_token(depth: int, in_string: bool) -> re.Pattern[bytes]:
    if in_string:
        return _INSIDE_STRING
    return _BETWEEN_ELEMENTS if depth == 1 else _OUTSIDE_STRING


def _kept(kept: bytearray | None, more: bytes) -> bytearray | None:
    if kept is None:
        return None
    if not kept:
        more = more.lstrip(_SPACE)
    if len(kept) + len(more) > MAX_ROW_BYTES:
        return None
    kept += more
    return kept
