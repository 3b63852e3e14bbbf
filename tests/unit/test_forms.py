"""Forms: what travels with a page comes back unchanged, in time, and from our own page."""

import json
import secrets
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from auth_service.http.signed_state import FormExpired, FormForged, Forms, Sealed
from tallystick import base64url
from tests.support.clock import MovableClock

ISSUER = "https://id.example.com"
QUERY = "response_type=code&client_id=app-one&state=%C3%A9%26"


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def forms(clock: MovableClock) -> Forms:
    return Forms(lambda: [b"k" * 32], ISSUER, clock)


def post(*origins: str) -> Request:
    headers = [(b"origin", origin.encode()) for origin in origins]
    return Request({"type": "http", "method": "POST", "headers": headers})


def test_what_was_sealed_is_opened_as_it_was(forms: Forms, clock: MovableClock) -> None:
    started = clock.now
    sealed = forms.seal(QUERY, started=started, login="fingerprint")
    clock.advance(seconds=3600)
    assert forms.open(sealed) == Sealed(QUERY, started, "fingerprint")


def test_a_sealed_form_fits_into_a_url_and_an_attribute(forms: Forms) -> None:
    assert set(forms.seal("\"'<&>", started=1)).issubset(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
    )


def test_after_an_hour_it_has_expired(forms: Forms, clock: MovableClock) -> None:
    sealed = forms.seal(QUERY, started=clock.now)
    clock.advance(seconds=3601)
    with pytest.raises(FormExpired):
        forms.open(sealed)


def test_no_character_of_it_can_be_changed(forms: Forms, clock: MovableClock) -> None:
    sealed = forms.seal(QUERY, started=clock.now)
    for at, character in enumerate(sealed):
        for other in ("A" if character != "A" else "B", "", "."):
            with pytest.raises(FormForged):
                forms.open(sealed[:at] + other + sealed[at + 1 :] if character != other else sealed + other)


@pytest.mark.parametrize("length", [1000, 1001, 8192])
def test_a_long_request_comes_back_as_it_was_and_unchanged(forms: Forms, clock: MovableClock, length: int) -> None:
    query = (QUERY + "&state=" + secrets.token_urlsafe(8192))[:length]
    sealed = forms.seal(query, started=clock.now, login="login")
    assert forms.open(sealed) == Sealed(query, clock.now, "login")
    for at in {0, sealed.find("~"), len(sealed) // 2, sealed.index("."), len(sealed) - 1} - {-1}:
        with pytest.raises(FormForged):
            forms.open(sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :])
    text, _, tag = sealed.partition(".")
    forgeries = {f"{text}~.{tag}", f"{text.partition('~')[0]}.{tag}", f"{text}~AAAA.{tag}", f"~{text}.{tag}"}
    for forged in forgeries - {sealed}:
        with pytest.raises(FormForged):
            forms.open(forged)


def test_the_redirect_with_a_state_of_2300_characters_fits_into_four_kilobytes(forms: Forms) -> None:
    """What a proxy with default buffers takes as an answer's headers; 900 bytes are for the other ones."""
    for state in (secrets.token_hex(1150), secrets.token_urlsafe(1725), json.dumps({"to": ["/é"] * 250})):
        query = f"{QUERY}&{urlencode({'state': state})}&code_challenge={'x' * 43}&code_challenge_method=S256"
        assert len(forms.seal(query, started=1, login="b" * 43)) < 4096 - 900


def test_another_key_does_not_open_it(forms: Forms, clock: MovableClock) -> None:
    with pytest.raises(FormForged):
        Forms(lambda: [b"K" * 32], ISSUER, clock).open(forms.seal(QUERY, started=clock.now))


@given(st.text())
def test_no_text_is_an_error_of_another_kind(text: str) -> None:
    with pytest.raises(FormForged):
        Forms(lambda: [b"k" * 32], ISSUER, MovableClock()).open(text)


def test_the_mac_of_another_purpose_does_not_seal(forms: Forms, clock: MovableClock) -> None:
    text = f'["{QUERY}", {clock.now}, ""]'
    forged = f"{base64url.encode(text.encode())}.{forms.csrf_token('seal', text, '')}"
    with pytest.raises(FormForged):
        forms.open(forged)


@pytest.mark.parametrize(
    "other", [("sid-2", "consent", "app-one"), ("sid-1", "logout", "app-one"), ("sid-1", "consent", "app-two")]
)
def test_a_csrf_token_is_for_one_login_session_one_purpose_and_one_content(
    forms: Forms, other: tuple[str, str, str]
) -> None:
    csrf_token = forms.csrf_token("sid-1", "consent", "app-one")
    assert forms.check_csrf_token(csrf_token, "sid-1", "consent", "app-one")
    assert not forms.check_csrf_token(csrf_token, *other)


def test_neighbouring_fields_of_a_csrf_token_do_not_run_together(forms: Forms) -> None:
    assert forms.csrf_token("a", "bc", "d") != forms.csrf_token("ab", "c", "d")
    assert forms.csrf_token("a", 'b", "c', "d") != forms.csrf_token("a", "b", 'c", "d')


@pytest.mark.parametrize("csrf_token", ["", "é", "\ud800", "A" * 43])
def test_a_wrong_csrf_token_is_no_error(forms: Forms, csrf_token: str) -> None:
    assert not forms.check_csrf_token(csrf_token, "sid-1", "consent", "app-one")


def test_a_form_of_ours_says_so_in_its_origin(forms: Forms) -> None:
    assert forms.is_our_origin(post(ISSUER))


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
def test_any_other_origin_is_a_strangers(forms: Forms, origins: tuple[str, ...]) -> None:
    assert not forms.is_our_origin(post(*origins))


def test_the_schemes_own_port_is_not_part_of_an_origin(clock: MovableClock) -> None:
    assert Forms(lambda: [b"k" * 32], "https://id.example.com:443", clock).is_our_origin(post(ISSUER))
    assert Forms(lambda: [b"k" * 32], "http://[::1]:8000", clock).is_our_origin(post("http://[::1]:8000"))
