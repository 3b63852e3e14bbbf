"""Forms: what travels with a page comes back unchanged, in time, and from our own page."""

import json
import secrets
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from auth_service.http.signed_state import BadSignature, SignedState, SignedStateExpired, StateSigner
from tallystick import base64url
from tests.support.clock import MovableClock

ISSUER = "https://id.example.com"
QUERY = "response_type=code&client_id=app-one&state=%C3%A9%26"


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def signer(clock: MovableClock) -> StateSigner:
    return StateSigner(lambda: [b"k" * 32], ISSUER, clock)


def post(*origins: str) -> Request:
    headers = [(b"origin", origin.encode()) for origin in origins]
    return Request({"type": "http", "method": "POST", "headers": headers})


def test_what_was_sealed_is_opened_as_it_was(signer: StateSigner, clock: MovableClock) -> None:
    started = clock.now
    sealed = signer.sign(QUERY, started=started, session_fingerprint="fingerprint")
    clock.advance(seconds=3600)
    assert signer.verify(sealed) == SignedState(QUERY, started, "fingerprint")


def test_a_sealed_form_fits_into_a_url_and_an_attribute(signer: StateSigner) -> None:
    assert set(signer.sign("\"'<&>", started=1)).issubset(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
    )


def test_after_an_hour_it_has_expired(signer: StateSigner, clock: MovableClock) -> None:
    sealed = signer.sign(QUERY, started=clock.now)
    clock.advance(seconds=3601)
    with pytest.raises(SignedStateExpired):
        signer.verify(sealed)


def test_no_character_of_it_can_be_changed(signer: StateSigner, clock: MovableClock) -> None:
    sealed = signer.sign(QUERY, started=clock.now)
    for at, character in enumerate(sealed):
        for other in ("A" if character != "A" else "B", "", "."):
            with pytest.raises(BadSignature):
                signer.verify(sealed[:at] + other + sealed[at + 1 :] if character != other else sealed + other)


@pytest.mark.parametrize("length", [1000, 1001, 8192])
def test_a_long_request_comes_back_as_it_was_and_unchanged(
    signer: StateSigner, clock: MovableClock, length: int
) -> None:
    query = (QUERY + "&state=" + secrets.token_urlsafe(8192))[:length]
    sealed = signer.sign(query, started=clock.now, session_fingerprint="login")
    assert signer.verify(sealed) == SignedState(query, clock.now, "login")
    for at in {0, sealed.find("~"), len(sealed) // 2, sealed.index("."), len(sealed) - 1} - {-1}:
        with pytest.raises(BadSignature):
            signer.verify(sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :])
    text, _, tag = sealed.partition(".")
    forgeries = {f"{text}~.{tag}", f"{text.partition('~')[0]}.{tag}", f"{text}~AAAA.{tag}", f"~{text}.{tag}"}
    for forged in forgeries - {sealed}:
        with pytest.raises(BadSignature):
            signer.verify(forged)


def test_the_redirect_with_a_state_of_2300_characters_fits_into_four_kilobytes(signer: StateSigner) -> None:
    """What a proxy with default buffers takes as an answer's headers; 900 bytes are for the other ones."""
    for state in (secrets.token_hex(1150), secrets.token_urlsafe(1725), json.dumps({"to": ["/é"] * 250})):
        query = f"{QUERY}&{urlencode({'state': state})}&code_challenge={'x' * 43}&code_challenge_method=S256"
        assert len(signer.sign(query, started=1, session_fingerprint="b" * 43)) < 4096 - 900


def test_another_key_does_not_open_it(signer: StateSigner, clock: MovableClock) -> None:
    with pytest.raises(BadSignature):
        StateSigner(lambda: [b"K" * 32], ISSUER, clock).verify(signer.sign(QUERY, started=clock.now))


@given(st.text())
def test_no_text_is_an_error_of_another_kind(text: str) -> None:
    with pytest.raises(BadSignature):
        StateSigner(lambda: [b"k" * 32], ISSUER, MovableClock()).verify(text)


def test_the_mac_of_another_purpose_does_not_seal(signer: StateSigner, clock: MovableClock) -> None:
    text = f'["{QUERY}", {clock.now}, ""]'
    forged = f"{base64url.encode(text.encode())}.{signer.csrf_token('seal', text, '')}"
    with pytest.raises(BadSignature):
        signer.verify(forged)


@pytest.mark.parametrize(
    "other", [("sid-2", "consent", "app-one"), ("sid-1", "logout", "app-one"), ("sid-1", "consent", "app-two")]
)
def test_a_csrf_token_is_for_one_login_session_one_purpose_and_one_content(
    signer: StateSigner, other: tuple[str, str, str]
) -> None:
    csrf_token = signer.csrf_token("sid-1", "consent", "app-one")
    assert signer.check_csrf_token(csrf_token, "sid-1", "consent", "app-one")
    assert not signer.check_csrf_token(csrf_token, *other)


def test_neighbouring_fields_of_a_csrf_token_do_not_run_together(signer: StateSigner) -> None:
    assert signer.csrf_token("a", "bc", "d") != signer.csrf_token("ab", "c", "d")
    assert signer.csrf_token("a", 'b", "c', "d") != signer.csrf_token("a", "b", 'c", "d')


@pytest.mark.parametrize("csrf_token", ["", "é", "\ud800", "A" * 43])
def test_a_wrong_csrf_token_is_no_error(signer: StateSigner, csrf_token: str) -> None:
    assert not signer.check_csrf_token(csrf_token, "sid-1", "consent", "app-one")


def test_a_form_of_ours_says_so_in_its_origin(signer: StateSigner) -> None:
    assert signer.is_our_origin(post(ISSUER))


@pytest.mark.parametrize(
    "origins",
    [
        (),
        ("null",),
        ("",),
        (ISSUER, ISSUER),
        (ISSUER, "https://evil.example"),
        ("http://id.example.com",),
        ("https://id.example.com:8443",),
        ("https://id.example.com.evil.example",),
        ("https://id.example.com/",),
    ],
)
def test_any_other_origin_is_a_strangers(signer: StateSigner, origins: tuple[str, ...]) -> None:
    assert not signer.is_our_origin(post(*origins))


def test_the_schemes_own_port_is_not_part_of_an_origin(clock: MovableClock) -> None:
    assert StateSigner(lambda: [b"k" * 32], "https://id.example.com:443", clock).is_our_origin(post(ISSUER))
    assert StateSigner(lambda: [b"k" * 32], "http://[::1]:8000", clock).is_our_origin(post("http://[::1]:8000"))
