"""Untrusted JSON is refused when parsers could disagree about it."""

import pytest

from tallystick.strict_json import MAX_DEPTH, parse_object


def test_object_is_parsed() -> None:
    document = '{"a": [1, 2.5, null, true, "é \\u00e9 \\ud83d\\ude00"], "b": {"a": {}}}'.encode()
    assert parse_object(document) == {"a": [1, 2.5, None, True, "é é 😀"], "b": {"a": {}}}


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b'"text"',
        b"{} {}",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": 1, "a": 1}',
        b'{"b": {"a": 1, "\\u0061": 2}}',
        b'\xef\xbb\xbf{"a": 1}',
        '{"a": 1}'.encode("utf-16"),
        '{"a": 1}'.encode("utf-16-le"),
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\\ud800"}',
        b'{"\\udc00": 1}',
        b'{"a": [{"b": "\\ude00\\ud83d"}]}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"a": ' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}",
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b'{"a": "\x00"}',
        b'{"a": 1}\x00',
    ],
    ids=lambda document: repr(document[:40]),
)
def test_ambiguous_or_malformed_document_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message may be json's or the codec's
        parse_object(document)


def test_many_brackets_at_a_small_depth_are_accepted() -> None:
    assert parse_object(b'{"a": [' + b",".join([b"[]"] * 100) + b"]}") == {"a": [[]] * 100}
    assert parse_object(b'{"a": "' + b"[" * 100 + b'"}') == {"a": "[" * 100}
