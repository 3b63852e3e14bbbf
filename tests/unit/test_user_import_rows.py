"""The rows of a file of users are read with bounded memory, and a bad row does not end the file."""

import io
import json
from collections.abc import Collection

import pytest

from auth_service.user_import import rows
from auth_service.user_import.rows import MAX_ROW_BYTES, Row, Unreadable, json_elements, read_rows


def accept(columns: Collection[str]) -> None:
    pass


def read(content: bytes) -> list[Row]:
    return list(read_rows(io.BytesIO(content), accept))


OBJECTS = [{"a": 'quote " and \\ and \\" [{'}, {"b": [{"c": "]}"}, []]}, {}, {"é": "x" * 50}]


@pytest.mark.parametrize("chunk", range(1, 24))
@pytest.mark.parametrize("indent", [None, 2])
def test_objects_of_an_array_are_found_at_every_boundary_of_a_chunk(
    monkeypatch: pytest.MonkeyPatch, chunk: int, indent: int | None
) -> None:
    monkeypatch.setattr(rows, "_CHUNK_BYTES", chunk)
    document = json.dumps(OBJECTS, indent=indent, ensure_ascii=False).encode()
    assert [json.loads(each or b"") for each in json_elements(io.BytesIO(document))] == OBJECTS


@pytest.mark.parametrize(
    "content",
    [
        b'[{"a": 1}] x',
        b'[{"a": ]}]',
        b'[{"a": 1}',
        b'[{"a": 1}, {"a": "',
        b"[",
        b'[{"a": "\\',
        b"",
        b" \n",
        b"\xef\xbb\xbf",
        '[{"a": 1}]'.encode("utf-16"),
        "email,name".encode("utf-16-le"),
        b"email,email\n",
        b"email,,name\n",
        b'"email\n',
    ],
)
def test_file_that_cannot_be_read_ends_with_a_reason(content: bytes) -> None:
    with pytest.raises(Unreadable):
        read(content)


def test_byte_order_mark_is_skipped_in_every_format() -> None:
    for content in (b'[{"email": "a@b"}]', b'{"email": "a@b"}\n', b"email\r\na@b\r\n"):
        assert [row.values for row in read(b"\xef\xbb\xbf" + content)] == [{"email": "a@b"}]


BAD_OBJECTS = [
    b'{"a": 1, "a": 2}',
    b'{"a": "\xff"}',
    b'{"a": "\\ud800"}',
    b'{"a": NaN}',
    b'{"a": 1e999}',
    b'{"a" 1}',
    b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}",
    b'{"a": "' + b"x" * MAX_ROW_BYTES + b'"}',
    b'{"a": "' + b"x" * 10_000_000 + b'"}',
]


@pytest.mark.parametrize("bad", BAD_OBJECTS, ids=range(len(BAD_OBJECTS)))
def test_bad_object_is_one_refused_row(bad: bytes) -> None:
    good = b'{"a": "good"}'
    for content in (b"[%b, %b, %b]" % (good, bad, good), b"%b\n\n%b\n%b" % (good, bad, good)):
        first, refused, last = read(content)
        assert refused.values is None
        assert refused.reason
        assert first.values == last.values == {"a": "good"}


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 64])
@pytest.mark.parametrize(
    "bad",
    [b'"hello"', b'"a, {] \\" b"', b"1", b"null", b"[]", b'[{"a": 1}, 2]', b"x y", b"x" * (MAX_ROW_BYTES + 1)],
    ids=lambda bad: bad[:8].decode(),
)
def test_element_of_an_array_that_is_no_object_is_one_refused_row(
    monkeypatch: pytest.MonkeyPatch, bad: bytes, chunk: int
) -> None:
    monkeypatch.setattr(rows, "_CHUNK_BYTES", chunk if len(bad) < 100 else 64 * 1024)
    good = b'{"a": "good"}'
    for content in (b"[%b, %b, %b]" % (good, bad, good), b"[%b,%b\n,%b\n]" % (good, bad, good)):
        first, refused, last = read(content)
        assert (refused.number, refused.values) == (2, None)
        assert refused.reason
        assert first.values == last.values == {"a": "good"}
    assert [row.values for row in read(b"[%b]" % bad)] == [None]


def test_numbers_are_lines_of_text_files_and_positions_in_an_array() -> None:
    assert [row.number for row in read(b'{"a": 1}\n\n{"a": 2}\n')] == [1, 3]
    assert [row.number for row in read(b'[\n\n{"a": 1},\n{"a": 2}]')] == [1, 2]
    assert [row.number for row in read(b'a,b\n1,"two\nlines"\n3,4\n\n5,6')] == [2, 4, 6]


@pytest.mark.parametrize(
    "bad",
    [
        b"1\n",
        b"1,2,3\n",
        b"1,\xff\n",
        b'1,"a"b\n',
        b"1," + b"x" * 200_000 + b"\n",
        b"1," + b"x" * 10_000_000 + b"\n",
    ],
    ids=["short", "long", "latin-1", "quotes", "long field", "10 MB"],
)
def test_bad_line_of_csv_is_one_refused_row(bad: bytes) -> None:
    first, refused, last = read(b"a,b\n1,good\n" + bad + b"2,good\n")
    assert (refused.number, refused.values) == (3, None)
    assert first.values == {"a": "1", "b": "good"}
    assert last.values == {"a": "2", "b": "good"}


def test_quote_that_never_ends_is_refused_at_the_end_of_the_file() -> None:
    assert [row.values for row in read(b'a,b\n1,"x\n2,y\n3,z\n')] == [None]


@pytest.mark.parametrize("delimiter", [";", "\t", ","])
def test_csv_is_separated_by_the_most_frequent_delimiter_of_its_header(delimiter: str) -> None:
    (row,) = read(delimiter.join(["email", "name", "id\n"]).encode() + delimiter.join(["a", "b", "c"]).encode())
    assert row.values == {"email": "a", "name": "b", "id": "c"}
