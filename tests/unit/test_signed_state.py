"""Signed state: a page carries it unchanged for one hour, and the browser cannot forge it."""

import json
import secrets
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_service.http.signed_state import BadSignature, SignedState, SignedStateExpired, StateSigner
from tallystick import base64url
from tests.support.clock import MovableClock

QUERY = "response_type=code&client_id=app-one&state=%C3%A9%26"


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def signer(clock: MovableClock) -> StateSigner:
    return StateSigner(lambda: [b"k" * 32], clock)


def test_verify_returns_the_signed_state(signer: StateSigner, clock: MovableClock) -> None:
    state = SignedState(QUERY, clock.now, "fingerprint")
    text = signer.sign(state)
    clock.advance(seconds=3600)
    assert signer.verify(text) == state


def test_signed_text_needs_no_escaping_in_a_url_or_an_attribute(signer: StateSigner) -> None:
    assert set(signer.sign(SignedState("\"'<&>", 1))).issubset(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
    )


def test_state_expires_after_an_hour(signer: StateSigner, clock: MovableClock) -> None:
    state = SignedState(QUERY, clock.now)
    text = signer.sign(state)
    clock.advance(seconds=3601)
    with pytest.raises(SignedStateExpired) as expired:
        signer.verify(text)
    assert expired.value.state == state


def test_each_changed_character_is_detected(signer: StateSigner, clock: MovableClock) -> None:
    text = signer.sign(SignedState(QUERY, clock.now))
    for at, character in enumerate(text):
        for other in ("A" if character != "A" else "B", "", "."):
            with pytest.raises(BadSignature):
                signer.verify(text[:at] + other + text[at + 1 :] if character != other else text + other)


@pytest.mark.parametrize("length", [1000, 1001, 8192])
def test_a_long_query_is_restored_and_cannot_be_changed(signer: StateSigner, clock: MovableClock, length: int) -> None:
    query = (QUERY + "&state=" + secrets.token_urlsafe(8192))[:length]
    state = SignedState(query, clock.now, "fingerprint")
    signed = signer.sign(state)
    assert signer.verify(signed) == state
    for at in {0, signed.find("~"), len(signed) // 2, signed.index("."), len(signed) - 1} - {-1}:
        with pytest.raises(BadSignature):
            signer.verify(signed[:at] + ("A" if signed[at] != "A" else "B") + signed[at + 1 :])
    text, _, tag = signed.partition(".")
    forgeries = {f"{text}~.{tag}", f"{text.partition('~')[0]}.{tag}", f"{text}~AAAA.{tag}", f"~{text}.{tag}"}
    for forged in forgeries - {signed}:
        with pytest.raises(BadSignature):
            signer.verify(forged)


def test_a_request_with_a_state_of_2300_characters_fits_into_four_kilobytes_of_headers(signer: StateSigner) -> None:
    """Proxies with default buffers accept 4096 bytes of response headers; 900 bytes are for the other headers."""
    for client_state in (secrets.token_hex(1150), secrets.token_urlsafe(1725), json.dumps({"to": ["/é"] * 250})):
        query = f"{QUERY}&{urlencode({'state': client_state})}&code_challenge={'x' * 43}&code_challenge_method=S256"
        assert len(signer.sign(SignedState(query, 1, "b" * 43))) < 4096 - 900


def test_another_key_does_not_verify(signer: StateSigner, clock: MovableClock) -> None:
    with pytest.raises(BadSignature):
        StateSigner(lambda: [b"K" * 32], clock).verify(signer.sign(SignedState(QUERY, clock.now)))


@given(st.text())
def test_arbitrary_text_raises_bad_signature_only(text: str) -> None:
    with pytest.raises(BadSignature):
        StateSigner(lambda: [b"k" * 32], MovableClock()).verify(text)


def test_the_mac_of_a_csrf_token_is_not_a_signature_of_state(signer: StateSigner, clock: MovableClock) -> None:
    text = f'["{QUERY}", {clock.now}, ""]'
    forged = f"{base64url.encode(text.encode())}.{signer.csrf_token('seal', text, '')}"
    with pytest.raises(BadSignature):
        signer.verify(forged)


@pytest.mark.parametrize(
    "other", [("sid-2", "consent", "app-one"), ("sid-1", "logout", "app-one"), ("sid-1", "consent", "app-two")]
)
def test_a_csrf_token_is_bound_to_login_session_purpose_and_subject(
    signer: StateSigner, other: tuple[str, str, str]
) -> None:
    csrf_token = signer.csrf_token("sid-1", "consent", "app-one")
    assert signer.check_csrf_token(csrf_token, "sid-1", "consent", "app-one")
    assert not signer.check_csrf_token(csrf_token, *other)


def test_the_parts_of_a_csrf_token_are_separated_unambiguously(signer: StateSigner) -> None:
    assert signer.csrf_token("a", "bc", "d") != signer.csrf_token("ab", "c", "d")
    assert signer.csrf_token("a", 'b", "c', "d") != signer.csrf_token("a", "b", 'c", "d')


@pytest.mark.parametrize("csrf_token", ["", "é", "\ud800", "A" * 43])
def test_a_malformed_csrf_token_is_rejected_without_an_exception(signer: StateSigner, csrf_token: str) -> None:
    assert not signer.check_csrf_token(csrf_token, "sid-1", "consent", "app-one")
