"""Which redirect URIs a client may register, and which one counts as registered (RFC 6749 §3.1.2, RFC 8252 §7, §8)."""

import pytest

from auth_service.uris import check_redirect_uri, is_registered, origin_of, runs_on_the_device
from tallystick.urls import is_loopback


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example.com/callback",
        "https://app.example.com/callback?tenant=1",
        "https://app.example.com:8443",
        "http://localhost:8011/callback",
        "http://app-one.localhost:8011/callback",
        "http://127.0.0.1/callback",
        "http://[::1]:1234/callback",
    ],
)
def test_a_web_client_may_name_https_and_loopback(uri: str) -> None:
    assert check_redirect_uri(uri, is_native=False, is_public=False) == uri


@pytest.mark.parametrize(
    "uri",
    [
        "http://app.example.com/callback",
        "http://localhost.example.com/callback",
        "http://127.0.0.1.example.com/callback",
        "https://app.example.com/callback#fragment",
        "https://app.example.com/callback#",
        "https://user@app.example.com/callback",
        "https://user:password@app.example.com/callback",
        "https:///callback",
        "https:app.example.com",
        "https://app.example.com:port/callback",
        "https://app.example.com:99999/callback",
        "https://app.example.com/a b",
        "https://app.example.com/\u00e9",
        "https://app.example.com/\n",
        "https://app.example.com\\@evil.example/",
        'https://app.example.com/"',
        "https://app.example.com/<script>",
        "https://[::1/callback",
        "/callback",
        "//app.example.com/callback",
        "javascript:alert(1)",
        "data:text/html,hello",
        "com.example.app:/callback",
        "",
    ],
)
def test_a_web_client_may_name_nothing_else(uri: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        check_redirect_uri(uri, is_native=False, is_public=True)


@pytest.mark.parametrize("uri", ["com.example.app:/callback", "com.example.app://callback", "org.example-2.app:/"])
def test_a_private_use_scheme_is_for_native_public_clients(uri: str) -> None:
    assert check_redirect_uri(uri, is_native=True, is_public=True) == uri
    for is_native, is_public in [(False, True), (True, False), (False, False)]:
        with pytest.raises(ValueError, match="native"):
            check_redirect_uri(uri, is_native=is_native, is_public=is_public)


@pytest.mark.parametrize("uri", ["myapp:/callback", "javascript:/callback", "file:///etc/passwd", ".:/", "1.a:/"])
def test_a_private_use_scheme_is_a_domain_name_backwards(uri: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        check_redirect_uri(uri, is_native=True, is_public=True)


REGISTERED = ["https://app.example.com/callback", "http://127.0.0.1/native", "http://[::1]:1234/native"]


@pytest.mark.parametrize(
    "uri",
    [
        *REGISTERED,
        "http://127.0.0.1:50000/native",
        "http://[::1]/native",
        "http://[::1]:50000/native",
    ],
)
def test_the_port_may_vary_on_loopback_addresses(uri: str) -> None:
    assert is_registered(uri, REGISTERED)


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example.com/callback/",
        "https://app.example.com/callback?x=1",
        "https://APP.example.com/callback",
        "https://app.example.com:443/callback",
        "https://app.example.com/other/../callback",
        "https://app.example.com/%63allback",
        "http://127.0.0.1:50000/other",
        "http://127.0.0.1:50000/native?x=1",
        "http://127.0.0.2:50000/native",
        "http://localhost:50000/native",
        "http://[::1]:50000/native#",
        "http://127.0.0.1:/native",
        "http://127.0.0.1:123456/native",
        "http://127.0.0.1:50000@evil.example/native",
        "http://127.0.0.1:50000\\@evil.example/native",
        "https://127.0.0.1/native",
        "",
    ],
)
def test_everything_else_is_compared_exactly(uri: str) -> None:
    assert not is_registered(uri, REGISTERED)


def test_the_port_does_not_vary_on_a_name() -> None:
    assert not is_registered("http://localhost:50000/callback", ["http://localhost/callback"])


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("com.example.app:/callback", True),
        ("http://127.0.0.1:50000/callback", True),
        ("http://app-one.localhost:8011/callback", True),
        ("https://app.example.com/callback", False),
    ],
)
def test_a_program_on_the_device_is_told_by_its_redirect_uri(uri: str, expected: bool) -> None:
    assert runs_on_the_device(uri) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("a.b.localhost", True),
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost.example.com", False),
        ("notlocalhost", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_loopback_is_loopback_only(host: str, expected: bool) -> None:
    assert is_loopback(host) == expected


@pytest.mark.parametrize(
    ("uri", "origin"),
    [
        ("https://spa.example/callback", "https://spa.example"),
        ("https://SPA.example:443/callback", "https://spa.example"),
        ("http://localhost:80/", "http://localhost"),
        ("https://spa.example:8443/callback?x=1", "https://spa.example:8443"),
        ("http://[::1]:1234/callback", "http://[::1]:1234"),
        ("com.example.app:/callback", None),
    ],
)
def test_an_origin_is_what_a_browser_sends(uri: str, origin: str | None) -> None:
    assert origin_of(uri) == origin
