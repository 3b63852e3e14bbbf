"""The status with which a request head is refused."""

import pytest

from tallystick_service.server.request_head import MAX_HEADER_BYTES, MAX_HEADER_FIELDS, head_refusal

HOST = (b"host", b"small")


def test_a_plain_head_passes() -> None:
    assert head_refusal(b"/", [HOST], version="1.1") is None


@pytest.mark.parametrize(
    ("target", "headers", "version", "status"),
    [
        (b"/", [], "1.1", 400),
        (b"/", [], "1.0", None),
        (b"/", [HOST, HOST], "1.0", 400),
        (b"http://SMALL/?x=http://other/", [HOST], "1.1", None),
        (b"http://other/", [HOST], "1.1", 400),
        (b"http://other/", [], "1.0", None),
        (b"*", [HOST], "1.1", None),
        (b"/%0a", [HOST], "1.1", 400),
        (b"/?x=%0a", [HOST], "1.1", None),
        (b"/", [HOST, (b"transfer-encoding", b"Chunked")], "1.1", None),
        (b"/", [HOST, (b"transfer-encoding", b"gzip"), (b"transfer-encoding", b"chunked")], "1.1", 501),
        (b"/", [HOST, (b"transfer-encoding", b"chunked, gzip")], "1.1", 400),
        (b"/" + b"a" * MAX_HEADER_BYTES, [HOST], "1.1", 431),
        (b"/", [HOST, (b"a", b"a" * MAX_HEADER_BYTES)], "1.1", 431),
        (b"/", [HOST] + [(b"a", b"")] * (MAX_HEADER_FIELDS - 1), "1.1", None),
        (b"/", [HOST] + [(b"a", b"")] * MAX_HEADER_FIELDS, "1.1", 431),
    ],
)
def test_a_head_is_refused_with_its_status(
    target: bytes, headers: list[tuple[bytes, bytes]], version: str, status: int | None
) -> None:
    assert head_refusal(target, headers, version=version) == status
