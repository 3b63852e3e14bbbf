"""The rules for the request line and headers of an HTTP/1.1 request, checked before an application sees the request."""

import re
from collections.abc import Sequence
from http import HTTPStatus

MAX_HEADER_BYTES = 32 * 1024
"""Of the request target and all header fields together."""
MAX_HEADER_FIELDS = 128
"""A field of five bytes costs thirty times as many in memory."""

_CONTROL_IN_PATH = re.compile(rb"[^?]*%(?:[01][0-9a-f]|7f)", re.IGNORECASE)
"""None of our paths has one. A router ignores a line break at the end of a path, an exact rule of a proxy does not."""

Headers = Sequence[tuple[bytes, bytes]]
"""Names are lower-case."""


def head_refusal(target: bytes, headers: Headers, *, version: str) -> HTTPStatus | None:
    """Return the status with which to refuse a request, or None. `version` is `1.0` or `1.1`.

    431: too many header bytes or fields. 400: not exactly one Host (RFC 9112 §3.2), a target for another host than
    Host names (§3.2.2), a control character in the path, or a malformed order of transfer codings (§6.3). 501: a
    transfer coding besides chunked (§6.1).
    """
    size = len(target)
    hosts: list[bytes] = []
    codings: list[bytes] = []
    for name, value in headers:
        size += len(name) + len(value) + 4
        if name == b"host":
            hosts.append(value)
        elif name == b"transfer-encoding":
            codings += (coding.strip().lower() for coding in value.split(b","))
    if size > MAX_HEADER_BYTES or len(headers) > MAX_HEADER_FIELDS:
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    if len(hosts) != 1 and (hosts or version != "1.0"):
        return HTTPStatus.BAD_REQUEST
    if codings and codings != [b"chunked"]:
        is_well_ordered = codings[-1] == b"chunked" and codings.count(b"chunked") == 1
        return HTTPStatus.NOT_IMPLEMENTED if is_well_ordered else HTTPStatus.BAD_REQUEST
    if b"%" in target and _CONTROL_IN_PATH.match(target):
        return HTTPStatus.BAD_REQUEST
    if target[:1] != b"/" and not _is_for_host(target, hosts):
        return HTTPStatus.BAD_REQUEST
    return None


def _is_for_host(target: bytes, hosts: list[bytes]) -> bool:
    """The authority of an absolute target overrides Host. Code that reads Host must not see another one."""
    _, separator, rest = target.partition(b"://")
    if not separator or not hosts:
        return True
    return re.split(rb"[/?]", rest, maxsplit=1)[0].lower() == hosts[0].lower()
