"""The redirect URIs that a client may register, and their comparison (RFC 6749 §3.1.2, RFC 8252 §7, §8)."""

import pytest
from ada_url import URL
from hypothesis import example, given
from hypothesis import strategies as st

from auth_service.client_metadata.redirect_uris import (
    check_private_use_scheme,
    check_redirect_uri,
    check_web_url,
    is_registered,
    leads_to_the_device,
    shown_target,
    web_origin,
)
from tallystick.urls import is_loopback


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example.com/callback",
        "https://app.example.com/callback?tenant=1",
        "https://app.example.com:8443",
        "https://app.example.com",
        "https://my_app.example.com/~me/%2Fx//y;z=1?next=/a/../b&empty=",
        "https://xn--mller-kva.example/callback",
        "https://192.0.2.1/callback",
        "https://[2001:db8::1]:8443/callback",
        "http://localhost:8011/callback",
        "http://app-one.localhost:8011/callback",
        "http://127.0.0.1/callback",
        "http://[::1]:1234/callback",
    ],
)
def test_a_web_client_may_register_https_and_loopback(uri: str) -> None:
    assert check_redirect_uri(uri, is_native=False) == uri


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
def test_a_web_client_may_register_nothing_else(uri: str) -> None:
    for is_native in (False, True):
        if uri.startswith("com.example") and is_native:
            continue
        with pytest.raises(ValueError, match=r"."):
            check_redirect_uri(uri, is_native=is_native)


@pytest.mark.parametrize(
    "url",
    [
        "HTTPS://app.example.com/callback",
        "https://App.example.com/callback",
        "https://app.example.com:443/callback",
        "http://localhost:80/callback",
        "https://app.example.com:/callback",
        "https://app.example.com:0443/callback",
        "https://app.example.com:8443:1/callback",
        "https://%61pp.example.com/callback",
        "https://app%2eexample.com/callback",
        "https://m\u00fcller.example/callback",
        "https://app.example.com./callback",
        "https://app..example.com/callback",
        "https://.app.example.com/callback",
        "https://app.example.com/a/../callback",
        "https://app.example.com/a/%2E%2e/callback",
        "https://app.example.com/./callback",
        "https://app.example.com/a/.",
        "https://app.example.com?x=1",
        "https://app.example.com/?x='y'",
        "https://127.1/callback",
        "https://127.0.0.01/callback",
        "https://0x7f000001/callback",
        "https://2130706433/callback",
        "https://a.0x/callback",
        "http://[0:0:0:0:0:0:0:1]/callback",
        "http://[::0001]/callback",
        "https://[2001:DB8::1]/callback",
        "https://[::ffff:127.0.0.1]/callback",
        "https://[::ffff:7f00:1]/callback",
        "https://[fe80::1%eth0]/callback",
        "https://[]/callback",
        "https://[::1]app/callback",
        "https://@app.example.com/callback",
        "https://app.example.com:@evil.example/callback",
    ],
)
def test_a_url_that_a_browser_would_rewrite_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        check_web_url(url)
    with pytest.raises(ValueError, match=r"."):
        check_redirect_uri(url, is_native=True)


_PIECES = [
    "https://",
    "http://",
    "localhost",
    "127.0.0.1",
    "[::1]",
    "a.example",
    "A",
    "0x7f",
    "1",
    "%61",
    "%2e",
    "..",
    "/",
]
_PIECES += [
    ".",
    ":",
    ":443",
    ":80",
    "0",
    "8443",
    "?",
    "'",
    "x=1",
    "&",
    "@",
    "_",
    "-",
    "*",
    "~",
    ";",
    "//",
    "[1:0:0:2::]",
]


@given(st.lists(st.sampled_from(_PIECES), min_size=1, max_size=6).map(lambda pieces: "https://" + "".join(pieces)))
@example("https://a.example")
def test_every_accepted_url_equals_its_whatwg_serialization(url: str) -> None:
    """ada is the URL parser of Node.js. The only allowed difference is the "/" of an empty path."""
    try:
        check_web_url(url)
    except ValueError:
        return
    assert URL(url).href in (url, f"{url}/")


@pytest.mark.parametrize(
    "uri",
    [
        "https://*.example.com/callback",
        "https://app.example.com/*",
        "http://localhost:*/callback",
        "http://127.0.0.1:*",
        "com.example.app:/*",
    ],
)
def test_the_error_for_a_wildcard_names_it(uri: str) -> None:
    with pytest.raises(ValueError, match="wildcard"):
        check_redirect_uri(uri, is_native=True)


@pytest.mark.parametrize(
    "uri",
    [
        "com.example.app:/callback",
        "com.example.app://callback",
        "org.example-2.app:/",
        "app.immich:///oauth-callback",
        "cursor://anysphere.cursor-retrieval/oauth/callback",
        "audiobookshelf://oauth",
    ],
)
def test_a_private_use_scheme_is_for_native_clients(uri: str) -> None:
    assert check_redirect_uri(uri, is_native=True) == uri
    with pytest.raises(ValueError, match="native"):
        check_redirect_uri(uri, is_native=False)


@pytest.mark.parametrize(
    "uri",
    [
        *("javascript:/callback", "file:///etc/passwd", "data:text/html,x", "intent://x", "blob:https://a.example/1"),
        *("COM.example.app:/callback", "Cursor://x", ".:/", "1.a:/", "-a:/", "a_b:/", ":/x", "ftp://a.example/"),
    ],
)
def test_a_scheme_that_no_app_can_own_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        check_redirect_uri(uri, is_native=True)
    with pytest.raises(ValueError, match=r"."):
        check_private_use_scheme(uri.partition(":")[0])


@pytest.mark.parametrize("uri", ["cursor://[2S", "com.example.app://x][y", "cursor://[callback]/"])
def test_a_private_use_uri_with_a_malformed_authority_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="is not a URI"):
        check_redirect_uri(uri, is_native=True)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://app.example.com:8443/callback", "app.example.com:8443"),
        ("http://127.0.0.1:5000/callback", "127.0.0.1:5000"),
        ("com.evil.app://accounts.google.com/cb", "com.evil.app"),
        ("com.example.app:/cb", "com.example.app"),
    ],
)
def test_pages_show_the_scheme_of_a_private_use_uri(uri: str, shown: str) -> None:
    assert shown_target(uri) == shown


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
    assert is_registered(uri, REGISTERED, any_loopback_port=True)
    assert is_registered(uri, REGISTERED, any_loopback_port=False) == (uri in REGISTERED)


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
def test_all_other_uris_are_compared_exactly(uri: str) -> None:
    assert not is_registered(uri, REGISTERED, any_loopback_port=True)


def test_the_port_may_not_vary_on_a_host_name() -> None:
    assert not is_registered("http://localhost:50000/callback", ["http://localhost/callback"], any_loopback_port=True)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("com.example.app:/callback", True),
        ("http://127.0.0.1:50000/callback", True),
        ("http://app-one.localhost:8011/callback", True),
        ("https://app.example.com/callback", False),
    ],
)
def test_a_redirect_uri_with_a_loopback_host_or_private_use_scheme_leads_to_the_device(
    uri: str, expected: bool
) -> None:
    assert leads_to_the_device(uri) == expected


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
def test_loopback_hosts(host: str, expected: bool) -> None:
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
def test_the_web_origin_is_the_one_that_browsers_send(uri: str, origin: str | None) -> None:
    assert web_origin(uri) == origin
