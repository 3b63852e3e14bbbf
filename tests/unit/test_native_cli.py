"""examples/native_cli: the authorization response at the loopback address, and the token file."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest

from examples.native_cli.__main__ import printable
from examples.native_cli.errors import ProgramError, SignedOut
from examples.native_cli.issuer import Issuer, Tokens
from examples.native_cli.token_file import TokenFile

ISSUER = "https://id.example.com"
TOKENS = Tokens("access", "refresh", 1.0)


def answer(request: httpx.Request) -> httpx.Response:
    """The issuer. The code `valid` gives tokens."""
    if request.method == "GET":
        endpoints = {f"{name}_endpoint": f"{ISSUER}/{name}" for name in ("authorization", "token", "revocation")}
        return httpx.Response(200, json={"issuer": ISSUER, **endpoints})
    form = parse_qs(request.content.decode())
    if form.get("code") != ["valid"] or len(form["code_verifier"][0]) < 43:
        return httpx.Response(400, json={"error": "invalid_grant"})
    return httpx.Response(200, json={"access_token": "a", "refresh_token": "r", "expires_in": 300})


def sign_in(browse: Callable[[str, dict[str, str]], None], *, timeout: float = 60) -> Tokens:
    """Sign in with a browser that does `browse` with the authorization request's redirect_uri and parameters."""
    browsers: list[threading.Thread] = []

    def show_url(url: str) -> None:
        request = dict(parse_qsl(urlsplit(url).query))
        browsers.append(threading.Thread(target=browse, args=(request["redirect_uri"], request)))
        browsers[-1].start()

    try:
        issuer = Issuer(httpx.Client(transport=httpx.MockTransport(answer)), ISSUER, "notes-cli")
        return issuer.sign_in("notes:read", "https://api.example.com", show_url=show_url, timeout=timeout)
    finally:
        for browser in browsers:
            browser.join()


def get(url: str, **query: str) -> int:
    return httpx.get(url, params=query, trust_env=False, timeout=60).status_code


def test_response_to_the_request_gives_tokens() -> None:
    statuses: list[int] = []
    tokens = sign_in(lambda uri, sent: statuses.append(get(uri, code="valid", iss=ISSUER, state=sent["state"])))
    assert (tokens.access_token, tokens.refresh_token, statuses) == ("a", "r", [200])


def test_each_request_has_its_own_state_and_challenge_and_a_loopback_address() -> None:
    requests: list[dict[str, str]] = []

    def browse(uri: str, sent: dict[str, str]) -> None:
        requests.append(sent)
        get(uri, code="valid", iss=ISSUER, state=sent["state"])

    for _ in range(2):
        sign_in(browse)
    for request in requests:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/callback", request["redirect_uri"])
        assert request["code_challenge_method"] == "S256"
    for name in ("state", "code_challenge"):
        assert len({request[name] for request in requests}) == 2
        assert min(len(request[name]) for request in requests) >= 43


def test_requests_of_another_sender_do_not_end_the_sign_in() -> None:
    """Any website and any local program can send requests to the port."""
    statuses: list[int] = []

    def browse(uri: str, sent: dict[str, str]) -> None:
        address = urlsplit(uri).hostname, urlsplit(uri).port
        with socket.create_connection(address, timeout=60):  # it sends nothing
            forged = {"code": "forged", "iss": ISSUER}
            statuses.append(get(uri, **forged))
            statuses.append(get(uri, **forged, state="another"))
            statuses.append(get(uri, **forged, state="ä"))
            statuses.append(get(uri.replace("/callback", "/other"), **forged, state=sent["state"]))
            statuses.append(get(f"{uri}?code=valid&code=forged&iss={ISSUER}&state={sent['state']}"))
            statuses.append(httpx.post(uri, data=forged | {"state": sent["state"]}, trust_env=False).status_code)
            get(uri, code="valid", iss=ISSUER, state=sent["state"])

    assert sign_in(browse).access_token == "a"
    assert statuses == [404, 404, 404, 404, 404, 501]


@pytest.mark.parametrize(
    ("response", "complaint"),
    [
        ({"code": "valid", "iss": "https://evil.example"}, "the response is of another issuer"),
        ({"code": "valid"}, "the response is of another issuer"),
        ({"error": "access_denied", "iss": ISSUER}, "the issuer answered: access_denied"),
        ({"error": "\x1b[31m", "iss": ISSUER}, "the issuer answered: an error without a valid code"),
        ({"iss": ISSUER}, "the issuer answered: an error without a valid code"),
        ({"code": "forged", "iss": ISSUER}, "the issuer answered: invalid_grant"),
    ],
)
def test_response_that_is_an_error_or_of_another_issuer_ends_the_sign_in(
    response: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ProgramError) as failure:
        sign_in(lambda uri, sent: print(get(uri, **response, state=sent["state"])))
    assert str(failure.value) == complaint


def test_sign_in_ends_after_its_timeout() -> None:
    with pytest.raises(ProgramError, match="nobody signed in"):
        sign_in(lambda uri, sent: None, timeout=0.01)


def test_token_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    tokens = TokenFile(tmp_path / "folder" / "tokens.json", [ISSUER, "notes-cli"])
    with tokens.lock():
        tokens.save(TOKENS)
    assert tokens.load() == TOKENS
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "folder").iterdir()} == {0o600}
    (tmp_path / "folder" / "tokens.json").chmod(0o640)
    with pytest.raises(ProgramError, match="other users can read"):
        tokens.load()


def test_tokens_of_one_issuer_or_client_are_not_used_at_another(tmp_path: Path) -> None:
    TokenFile(tmp_path / "tokens.json", [ISSUER, "notes-cli"]).save(TOKENS)
    for owner in (["https://evil.example", "notes-cli"], [ISSUER, "other"]):
        with pytest.raises(SignedOut):
            TokenFile(tmp_path / "tokens.json", owner).load()


@pytest.mark.parametrize("content", ["", "[]", "{}", "\udc80", json.dumps({"owner": [ISSUER], "tokens": {}})])
def test_damaged_token_file_is_none(tmp_path: Path, content: str) -> None:
    file = tmp_path / "tokens.json"
    file.touch(mode=0o600)
    file.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(SignedOut):
        TokenFile(file, [ISSUER]).load()


def test_titles_cannot_control_the_terminal() -> None:
    assert printable("tea\x1b[2J\x9b\n\u202eé") == "tea�[2J���é"


def run(tmp_path: Path, api: str) -> "subprocess.CompletedProcess[str]":
    """The command `notes` of a signed-in user."""
    file = tmp_path / "tokens.json"
    TokenFile(file, [ISSUER, "notes-cli"]).save(Tokens("access", "refresh", time.time() + 3600))
    environment = {**os.environ, "ISSUER": ISSUER, "API": api, "CLIENT_ID": "notes-cli", "NO_PROXY": "*"}
    command = [sys.executable, "-m", "examples.native_cli", "notes", "--tokens", str(file)]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


class _EmptyApi(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"notes": [], "next_cursor": null}')

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — the name that the base class uses
        pass


def test_user_without_notes_is_told_so(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _EmptyApi) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ended = run(tmp_path, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert (ended.returncode, ended.stdout) == (0, "")
    assert ended.stderr.startswith("You have no notes yet.")


def test_token_is_not_sent_to_an_api_without_tls(tmp_path: Path) -> None:
    ended = run(tmp_path, "http://api.example.com")
    assert ended.returncode == 1
    assert ended.stderr == "native_cli: 'http://api.example.com' must be https: plain http is for loopback only\n"
