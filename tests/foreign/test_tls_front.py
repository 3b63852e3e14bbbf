"""The TLS front: its protocol versions and suites, and the headers that it passes to the services."""

import shutil
import socket
import ssl
import subprocess
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from deploy.tls.servers import find_nginx
from tests.support.foreign_clients import APP
from tests.support.front import Front
from tests.support.ports import free_ports
from tests.support.processes import ROOT
from tests.support.relying_party import CODE_CHALLENGE, Browser, answer_of

SUITES = [f"ECDHE-{key}-AES{bits}" for key in ("ECDSA", "RSA") for bits in ("128-GCM-SHA256", "256-GCM-SHA384")]
OTHER_SUITES = [
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-RSA-AES256-SHA",
    "DHE-RSA-AES128-GCM-SHA256",
    "AES128-GCM-SHA256",
]


def shake_hands(front: Front, tls: ssl.SSLContext, *, name: str | None = None) -> tuple[str, str]:
    """Returns the negotiated protocol version and suite."""
    with (
        socket.create_connection(("127.0.0.1", front.files.front), timeout=10) as connection,
        tls.wrap_socket(connection, server_hostname=name or front.files.auth_name) as agreed,
    ):
        cipher = agreed.cipher()
        assert cipher is not None
        return str(agreed.version()), cipher[0]


@contextmanager
def refused_by_the_front(*alerts: str) -> Iterator[None]:
    """Asserts that the server refuses the handshake, not the OpenSSL of this process."""
    with pytest.raises(ssl.SSLError) as refusal:
        yield
    assert refusal.value.reason in alerts


def tls_1_2(front: Front, suite: str) -> ssl.SSLContext:
    tls = front.tls()
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    tls.set_ciphers(f"{suite}:@SECLEVEL=0")
    return tls


@pytest.mark.parametrize("suite", SUITES)
def test_tls_1_2_with_forward_secrecy_and_gcm_is_accepted(front: Front, suite: str) -> None:
    assert shake_hands(front, tls_1_2(front, suite)) == ("TLSv1.2", suite)


@pytest.mark.parametrize("suite", OTHER_SUITES)
def test_other_suites_are_refused(front: Front, suite: str) -> None:
    with refused_by_the_front("SSLV3_ALERT_HANDSHAKE_FAILURE"):
        shake_hands(front, tls_1_2(front, suite))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=lambda version: version.name)
def test_older_protocol_versions_are_refused(front: Front, version: ssl.TLSVersion) -> None:
    tls = tls_1_2(front, "ALL")
    with warnings.catch_warnings(action="ignore"):  # Python warns about old versions
        tls.minimum_version = tls.maximum_version = version
    with refused_by_the_front("TLSV1_ALERT_PROTOCOL_VERSION"):
        shake_hands(front, tls)


def test_tls_1_3_is_preferred(front: Front) -> None:
    assert shake_hands(front, front.tls())[0] == "TLSv1.3"


def answer_to(front: Front, *, server_name: str | None, host: str) -> bytes:
    """The status line of the response to a request with this SNI (None: without SNI) and this Host."""
    tls = front.tls()
    tls.check_hostname = server_name == front.files.auth_name
    with (
        socket.create_connection(("127.0.0.1", front.files.front), timeout=10) as connection,
        tls.wrap_socket(connection, server_hostname=server_name) as agreed,
    ):
        agreed.sendall(b"GET /jwks HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % host.encode())
        with agreed.makefile("rb") as answer:
            return answer.readline()


def test_a_client_without_server_name_indication_reaches_the_auth_service(front: Front) -> None:
    """Java sends no SNI for localhost."""
    host = f"{front.files.auth_name}:{front.files.front}"
    assert answer_to(front, server_name=None, host=host).split()[1] == b"200"


@pytest.mark.parametrize("server_name", [None, "localhost", "elsewhere.example"])
def test_a_host_other_than_the_two_names_gets_421(front: Front, server_name: str | None) -> None:
    assert answer_to(front, server_name=server_name, host="elsewhere.example").split()[1] == b"421"


@pytest.fixture
async def http(front: Front) -> AsyncIterator[httpx.AsyncClient]:
    async with front.http() as http:
        yield http


@pytest.fixture
def browser(front: Front, http: httpx.AsyncClient) -> Browser:
    return front.browser(http)


def authorization_request(**changes: str) -> dict[str, str]:
    return {
        "response_type": "code",
        "client_id": "basic",
        "redirect_uri": APP,
        "scope": "openid",
        "code_challenge": CODE_CHALLENGE,
        "code_challenge_method": "S256",
    } | changes


async def test_discovery_names_this_issuer_and_https_urls_only(front: Front, http: httpx.AsyncClient) -> None:
    metadata = (await http.get("/.well-known/openid-configuration")).json()
    assert metadata["issuer"] == front.issuer
    urls = {name: value for name, value in metadata.items() if name.endswith(("_endpoint", "_uri"))}
    assert len(urls) > 5
    assert all(url.startswith(f"{front.issuer}/") for url in urls.values())
    assert (await http.get(metadata["jwks_uri"])).json()["keys"]


async def test_the_notes_api_has_found_the_issuers_keys_through_the_front(front: Front) -> None:
    # The address is used because the name may not resolve.
    at_the_name = {"headers": {"Host": front.files.notes_name}, "extensions": {"sni_hostname": front.files.notes_name}}
    async with httpx.AsyncClient(verify=front.tls()) as http:
        answer = await http.get(f"https://127.0.0.1:{front.files.front}/readyz", **at_the_name)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_redirects_lead_to_this_issuer_and_back_to_the_client(browser: Browser, http: httpx.AsyncClient) -> None:
    request = authorization_request(state="a state")
    first = await http.get("/authorize", params=request)
    assert first.status_code == 303
    assert first.headers["location"].startswith("/login?")
    login_page = await http.get(first.headers["location"])
    assert login_page.headers["strict-transport-security"] == "max-age=31536000"
    done = await browser.sign_in(login_page)
    assert done.headers["location"].startswith(f"{APP}?")
    assert answer_of(done) | {"code": ""} == {"code": "", "state": "a state", "iss": browser.issuer}


async def test_cookies_are_for_this_host_and_https_only(browser: Browser, http: httpx.AsyncClient) -> None:
    await browser.sign_in()
    cookies = list(http.cookies.jar)
    assert len(cookies) >= 2
    for cookie in cookies:
        assert cookie.name.startswith("__Host-")
        assert (cookie.secure, cookie.path, cookie.domain_specified) == (True, "/", False)
        assert cookie.has_nonstandard_attr("HttpOnly")


async def wrong_passwords(front: Front, email: str, count: int, *, from_address: str) -> set[int]:
    """Try wrong passwords from one address, each with a different X-Forwarded-For. Returns the statuses."""
    async with front.http(from_address=from_address) as http:
        browser = front.browser(http)
        page = await browser.open("/login")
        statuses = set()
        for number in range(count):
            http.headers["X-Forwarded-For"] = f"203.0.113.{number}"
            statuses.add((await browser.sign_in(page, username=email, password="wrong horse")).status_code)
        return statuses


async def test_the_address_of_the_connection_is_used_and_not_x_forwarded_for(front: Front) -> None:
    """Ten wrong passwords for an account are free per address. The eleventh shows which address was counted."""
    email = "somebody@example.com"
    assert await wrong_passwords(front, email, 10, from_address="127.0.0.2") == {401}
    assert await wrong_passwords(front, email, 1, from_address="127.0.0.2") == {429}
    assert await wrong_passwords(front, email, 1, from_address="127.0.0.3") == {401}


def test_nginx_accepts_the_proxy_configuration_of_the_compose_file(front: Front, tmp_path: Path) -> None:
    folder = shutil.copytree(ROOT / "deploy" / "compose", tmp_path / "compose")
    config = folder / "nginx.conf"
    text = config.read_text()
    for there, here in {
        "/tmp/": f"{tmp_path}/",
        "listen 443": f"listen 127.0.0.1:{free_ports(1)[0]}",
        "/run/secrets/tls_certificate": f"{front.others}/server-ec.pem",
        "/run/secrets/tls_key": f"{front.others}/server-ec.key",
        "auth-1:": "127.0.0.1:",
        "auth-2:": "127.0.0.1:",
        "notes:": "127.0.0.1:",
    }.items():
        assert there in text
        text = text.replace(there, here)
    config.write_text(text)
    tried = subprocess.run([find_nginx(), "-e", "stderr", "-t", "-c", str(config)], capture_output=True, text=True)
    assert tried.returncode == 0, tried.stderr
