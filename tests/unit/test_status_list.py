"""One Status List Token: what is in it, and which are refused (Token Status List §4, §5.1, §8.3)."""

import zlib
from collections.abc import Callable

import pytest

from tallystick import base64url
from tallystick.clock import LEEWAY
from tallystick.jwt import STATUS_LIST
from tallystick.status_list import MAX_STATUSES_BYTES, StatusList, kid_of, read_status_list
from tests.support.token_issuer import ABSENT, STATUS_LIST_URI, PublishedList, TokenIssuer, jws, new_signing_key


@pytest.fixture
def published(issuer: TokenIssuer) -> PublishedList:
    return issuer.publish_list()


def read(token: str, issuer: TokenIssuer) -> StatusList:
    return read_status_list(token, uri=STATUS_LIST_URI, key=issuer.key.public, now=issuer.clock.now)


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
def test_a_status_is_read_from_its_bits(
    issuer: TokenIssuer, published: PublishedList, bits: int, lst: str, statuses: list[int]
) -> None:
    status_list = read(published.signed(status_list={"bits": bits, "lst": lst}), issuer)
    assert [status_list.status(idx) for idx in range(len(statuses))] == statuses
    assert [status_list.has(idx) for idx in (len(statuses) - 1, len(statuses))] == [True, False]


@pytest.mark.parametrize("idx", [64, 2**31, 2**70])
def test_what_is_not_in_the_list_has_no_status(issuer: TokenIssuer, published: PublishedList, idx: int) -> None:
    status_list = read(published.token, issuer)
    assert not status_list.has(idx)
    with pytest.raises(IndexError):
        status_list.status(idx)


def test_the_age_counts_from_the_signature(issuer: TokenIssuer, published: PublishedList) -> None:
    status_list = read(published.token, issuer)
    now = issuer.clock.now
    assert (status_list.age(now + 5), status_list.age(now - 5)) == (5, 0)
    assert not status_list.is_expired(now + 60 + LEEWAY)
    assert status_list.is_expired(now + 60 + LEEWAY + 1)


@pytest.mark.parametrize("typ", ["statuslist+jwt", "StatusList+JWT", "application/statuslist+jwt"])
def test_its_type_is_told_in_any_case(issuer: TokenIssuer, published: PublishedList, typ: str) -> None:
    assert kid_of(published.signed({"typ": typ})) == issuer.key.kid


@pytest.mark.parametrize(
    "header",
    [{"typ": "at+jwt"}, {"typ": "JWT"}, {"typ": ABSENT}, {"alg": "RS256"}, {"alg": "none"}, {"kid": ABSENT}],
    ids=str,
)
def test_no_other_token_is_taken_for_a_list(
    issuer: TokenIssuer, published: PublishedList, header: dict[str, object]
) -> None:
    token = published.signed(header)
    with pytest.raises(ValueError, match="no status list"):
        kid_of(token)
    with pytest.raises(ValueError, match="no status list"):
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
def test_what_may_be_absent_and_what_is_unknown_does_no_harm(
    issuer: TokenIssuer, published: PublishedList, change: dict[str, object]
) -> None:
    assert read(published.signed(**change), issuer).status(0) == 0


@pytest.mark.parametrize("claim", ["sub", "iat", "exp", "ttl", "status_list"])
@pytest.mark.parametrize("value", [True, "1", "", [], {}, -0.5])
def test_a_wrongly_typed_claim_is_refused(
    issuer: TokenIssuer, published: PublishedList, claim: str, value: object
) -> None:
    with pytest.raises(ValueError, match=r"_StatusListClaims|another address"):
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
def test_a_list_that_is_not_for_us_is_refused(
    issuer: TokenIssuer, published: PublishedList, change: dict[str, object]
) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the reasons are of many kinds
        read(published.signed(**change), issuer)


def test_a_list_may_come_from_a_clock_a_minute_ahead_and_no_more(issuer: TokenIssuer, published: PublishedList) -> None:
    now = issuer.clock.now
    assert read(published.signed(iat=now + LEEWAY), issuer)
    with pytest.raises(ValueError, match="future"):
        read(published.signed(iat=now + LEEWAY + 1), issuer)


def test_another_keys_signature_is_refused(issuer: TokenIssuer, published: PublishedList) -> None:
    header, payload, _ = published.token.split(".")
    token = jws(base64url.decode(header), base64url.decode(payload), new_signing_key())
    with pytest.raises(ValueError, match="signature"):
        read(token, issuer)


@pytest.mark.parametrize(
    "spoil",
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
def test_what_is_not_one_whole_stream_is_refused(
    issuer: TokenIssuer, published: PublishedList, spoil: Callable[[bytes], bytes]
) -> None:
    lst = base64url.encode(spoil(zlib.compress(bytes(100))))
    with pytest.raises(ValueError, match="status list"):
        read(published.signed(status_list={"bits": 1, "lst": lst}), issuer)


def test_a_list_is_bounded_however_well_it_compresses(issuer: TokenIssuer, published: PublishedList) -> None:
    full = published.signed(status_list={"bits": 8, "lst": packed(bytes(MAX_STATUSES_BYTES))})
    assert read(full, issuer).has(MAX_STATUSES_BYTES - 1)
    for size in (MAX_STATUSES_BYTES + 1, 8 * MAX_STATUSES_BYTES):
        with pytest.raises(ValueError, match="more than"):
            read(published.signed(status_list={"bits": 1, "lst": packed(bytes(size))}), issuer)


@pytest.mark.parametrize("token", ["", "a.b.c", "ä.ö.ü", "." * 10, "x" * (STATUS_LIST.max_bytes + 1)], ids=len)
def test_no_text_is_too_strange_to_be_refused(issuer: TokenIssuer, token: str) -> None:
    with pytest.raises(ValueError, match="no status list"):
        read(token, issuer)


def test_what_a_list_says_is_not_in_its_repr(issuer: TokenIssuer, published: PublishedList) -> None:
    """It may be megabytes."""
    published.statuses = bytearray(100_000)
    assert len(repr(read(published.signed(), issuer))) < 1000
