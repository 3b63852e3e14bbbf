"""Parsing of a Status List Token (Token Status List §4, §5.1, §8.3)."""

import zlib
from collections.abc import Callable

import pytest

from tallystick import base64url
from tallystick.clock import LEEWAY
from tallystick.jwt import STATUS_LIST
from tallystick.status_list import MAX_STATUSES_BYTES, StatusList, parse_status_list, parse_status_list_kid
from tests.support.token_issuer import ABSENT, STATUS_LIST_URI, PublishedList, TokenIssuer, jws, new_signing_key


@pytest.fixture
def published(issuer: TokenIssuer) -> PublishedList:
    return issuer.publish_list()


def read(token: str, issuer: TokenIssuer) -> StatusList:
    return parse_status_list(token, uri=STATUS_LIST_URI, key=issuer.key.public, now=issuer.clock.now)


def packed(statuses: bytes) -> str:
    return base64url.encode(zlib.compress(statuses))


@pytest.mark.parametrize(
    ("bits", "lst", "statuses"),
    [
        (1, "eNrbuRgAAhcBXQ", [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]),  # §4.1
        (2, "eNo76fITAAPfAgc", [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]),  # §4.1
        (4, packed(b"\x21\x43"), [1, 2, 3, 4]),
        (8, packed(b"\x00\xff\x03"), [0, 255, 3]),
        (1, packed(b""), []),
    ],
)
def test_status_is_read_from_its_bits(
    issuer: TokenIssuer, published: PublishedList, bits: int, lst: str, statuses: list[int]
) -> None:
    status_list = read(published.signed(status_list={"bits": bits, "lst": lst}), issuer)
    assert [status_list.status(idx) for idx in range(len(statuses))] == statuses
    assert [status_list.has(idx) for idx in (len(statuses) - 1, len(statuses))] == [True, False]


@pytest.mark.parametrize("idx", [64, 2**31, 2**70])
def test_index_beyond_the_end_has_no_status(issuer: TokenIssuer, published: PublishedList, idx: int) -> None:
    status_list = read(published.token, issuer)
    assert not status_list.has(idx)
    with pytest.raises(IndexError):
        status_list.status(idx)


def test_age_counts_from_the_signature(issuer: TokenIssuer, published: PublishedList) -> None:
    status_list = read(published.token, issuer)
    now = issuer.clock.now
    assert (status_list.age(now + 5), status_list.age(now - 5)) == (5, 0)
    assert not status_list.is_expired(now + 60 + LEEWAY)
    assert status_list.is_expired(now + 60 + LEEWAY + 1)


@pytest.mark.parametrize("typ", ["statuslist+jwt", "StatusList+JWT", "application/statuslist+jwt"])
def test_typ_is_compared_without_regard_to_case(issuer: TokenIssuer, published: PublishedList, typ: str) -> None:
    assert parse_status_list_kid(published.signed({"typ": typ})) == issuer.key.kid


@pytest.mark.parametrize(
    "header",
    [{"typ": "at+jwt"}, {"typ": "JWT"}, {"typ": ABSENT}, {"alg": "RS256"}, {"alg": "none"}, {"kid": ABSENT}],
    ids=str,
)
def test_token_with_another_header_is_refused(
    issuer: TokenIssuer, published: PublishedList, header: dict[str, object]
) -> None:
    token = published.signed(header)
    with pytest.raises(ValueError, match="not a status list"):
        parse_status_list_kid(token)
    with pytest.raises(ValueError, match="not a status list"):
        read(token, issuer)


@pytest.mark.parametrize(
    "change",
    [
        {"exp": ABSENT},
        {"ttl": ABSENT},
        {"ttl": 0.5},
        {"iss": "https://id.example.com"},
        {"iat": 0, "exp": 1},
    ],
    ids=str,
)
def test_optional_claims_may_be_absent_and_unknown_claims_are_ignored(
    issuer: TokenIssuer, published: PublishedList, change: dict[str, object]
) -> None:
    assert read(published.signed(**change), issuer).status(0) == 0


@pytest.mark.parametrize("claim", ["sub", "iat", "exp", "ttl", "status_list"])
@pytest.mark.parametrize("value", [True, "1", "", [], {}, -0.5])
def test_wrongly_typed_claim_is_refused(
    issuer: TokenIssuer, published: PublishedList, claim: str, value: object
) -> None:
    with pytest.raises(ValueError, match=r"_StatusListClaims|another URL"):
        read(published.signed(**{claim: value}), issuer)


@pytest.mark.parametrize(
    "change",
    [
        {"sub": ABSENT},
        {"sub": f"{STATUS_LIST_URI}/"},
        {"sub": "https://other.example/status-lists/1"},
        {"iat": ABSENT},
        {"iat": 10**30},
        {"ttl": 0},
        {"ttl": -1},
        {"status_list": ABSENT},
        {"status_list": None},
        {"status_list": {"bits": 1}},
        {"status_list": {"lst": packed(b"\x00")}},
        *({"status_list": {"bits": bits, "lst": packed(b"\x00")}} for bits in (0, 3, 16, -1, True, "1", 1.0, None)),
        *({"status_list": {"bits": 1, "lst": lst}} for lst in ("", "!", "eNrbuRgAAhcBXQ==", "AAAA", 5, None)),
    ],
    ids=str,
)
def test_list_with_a_missing_or_wrong_claim_is_refused(
    issuer: TokenIssuer, published: PublishedList, change: dict[str, object]
) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the messages differ
        read(published.signed(**change), issuer)


def test_iat_may_be_one_minute_in_the_future(issuer: TokenIssuer, published: PublishedList) -> None:
    now = issuer.clock.now
    assert read(published.signed(iat=now + LEEWAY), issuer)
    with pytest.raises(ValueError, match="future"):
        read(published.signed(iat=now + LEEWAY + 1), issuer)


def test_signature_of_another_key_is_refused(issuer: TokenIssuer, published: PublishedList) -> None:
    header, payload, _ = published.token.split(".")
    token = jws(base64url.decode(header), base64url.decode(payload), new_signing_key())
    with pytest.raises(ValueError, match="signature"):
        read(token, issuer)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data + b"\x00",
        lambda data: data + data,
        lambda data: data[:-1],
        lambda data: data[:-4],
        lambda data: data[:3] + bytes([data[3] ^ 0xFF]) + data[4:],
        lambda data: data[2:-4],
        lambda _: b"",
    ],
)
def test_anything_but_one_whole_zlib_stream_is_refused(
    issuer: TokenIssuer, published: PublishedList, change: Callable[[bytes], bytes]
) -> None:
    lst = base64url.encode(change(zlib.compress(bytes(100))))
    with pytest.raises(ValueError, match="status list"):
        read(published.signed(status_list={"bits": 1, "lst": lst}), issuer)


def test_decompressed_size_is_bounded(issuer: TokenIssuer, published: PublishedList) -> None:
    full = published.signed(status_list={"bits": 8, "lst": packed(bytes(MAX_STATUSES_BYTES))})
    assert read(full, issuer).has(MAX_STATUSES_BYTES - 1)
    for size in (MAX_STATUSES_BYTES + 1, 8 * MAX_STATUSES_BYTES):
        with pytest.raises(ValueError, match="more than"):
            read(published.signed(status_list={"bits": 1, "lst": packed(bytes(size))}), issuer)


@pytest.mark.parametrize("token", ["", "a.b.c", "ä.ö.ü", "." * 10, "x" * (STATUS_LIST.max_bytes + 1)], ids=len)
def test_arbitrary_text_is_refused(issuer: TokenIssuer, token: str) -> None:
    with pytest.raises(ValueError, match="not a status list"):
        read(token, issuer)


def test_repr_does_not_contain_the_statuses(issuer: TokenIssuer, published: PublishedList) -> None:
    """They may be megabytes."""
    published.statuses = bytearray(100_000)
    assert len(repr(read(published.signed(), issuer))) < 1000
