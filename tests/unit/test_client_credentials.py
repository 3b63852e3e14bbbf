"""tallystick.client.ClientCredentials: tokens for requests to an API (RFC 6749 §4.4, RFC 6750, RFC 7523, RFC 8707)."""

import io
import logging
import time
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tallystick.client import ClientCredentials, TokenRequestRefused, TokenUnavailable, WrongOrigin
from tallystick.jwk import PrivateKey
from tallystick.jwt import CLIENT_ASSERTION, verify_with_any_key
from tallystick.key_files import read_signing_key
from tests.support.calling_client import (
    API,
    INVALID_TOKEN,
    ISSUER,
    OTHER_TOKEN,
    SECRET,
    TOKEN_ENDPOINT,
    Api,
    TokenServer,
    credentials,
)


@pytest.fixture
def server() -> TokenServer:
    return TokenServer()


def client(auth: ClientCredentials, api: Api, **options: object) -> httpx.Client:
    return httpx.Client(transport=api.transport, auth=auth, base_url=API, **options)  # type: ignore[arg-type]


def revoke(token: str) -> Callable[[str], httpx.Response]:
    return lambda sent: httpx.Response(401, headers=INVALID_TOKEN) if sent == token else httpx.Response(200)


# What is sent


def test_token_is_requested_once_and_sent_with_each_request(server: TokenServer) -> None:
    api = Api()
    with client(credentials(server), api) as http:
        for _ in range(3):
            assert http.get("/notes").status_code == 200
    assert api.tokens == ["token-1"] * 3
    (request,) = server.requests
    assert dict(parse_qsl(request.content.decode())) == {
        "grant_type": "client_credentials",
        "scope": "notes:read",
        "resource": API,
    }
    # Both parts are form-encoded before the Basic scheme (RFC 6749 §2.3.1).
    assert (
        httpx.BasicAuth("bot", "the+secret+of+the+bot%3A+100%25+%2B+long+enough")._auth_header
        == (request.headers["Authorization"])
    )


async def test_async_client_shares_the_token_of_a_sync_client(server: TokenServer) -> None:
    api, auth = Api(), credentials(server)
    with client(auth, api) as http:
        http.get("/notes")
    async with httpx.AsyncClient(transport=api.transport, auth=auth, base_url=API) as http_async:
        assert (await http_async.get("/notes")).status_code == 200
    assert api.tokens == ["token-1"] * 2
    assert len(server.requests) == 1


@pytest.mark.parametrize("issuer", [None, ISSUER])
@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["ES256", "EdDSA", "RS256"],
)
def test_private_key_jwt_signs_a_new_assertion_for_each_request(
    server: TokenServer, key: PrivateKey, issuer: str | None
) -> None:
    auth = credentials(server, client_secret=None, private_key=key, issuer=issuer)
    api = Api(revoke("token-1"))
    with client(auth, api) as http:
        assert http.get("/notes").status_code == 200
    payloads = []
    for request in server.requests:
        assert "Authorization" not in request.headers
        form = dict(parse_qsl(request.content.decode()))
        assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        assertion = form["client_assertion"]
        payloads.append(verify_with_any_key(assertion, CLIENT_ASSERTION, [read_signing_key(key).public]))
    assert len({payload["jti"] for payload in payloads}) == 2
    for payload in payloads:
        assert payload["iss"] == payload["sub"] == "bot"
        assert payload["aud"] == (issuer or TOKEN_ENDPOINT)
        assert isinstance(payload["exp"], int)
        assert 0 < payload["exp"] - time.time() <= 61


def test_token_endpoint_is_found_through_the_metadata_of_the_issuer(server: TokenServer) -> None:
    api = Api()
    with client(credentials(server, token_endpoint=None, issuer=ISSUER), api) as http:
        assert http.get("/notes").status_code == 200
    assert [str(request.url) for request in server.requests] == [TOKEN_ENDPOINT]


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example", "token_endpoint": "https://evil.example/token"},
        {"issuer": ISSUER},
        {"issuer": ISSUER, "token_endpoint": 5},
        {"issuer": ISSUER, "token_endpoint": "http://id.example.com/token"},
    ],
    ids=str,
)
def test_metadata_of_another_issuer_or_with_a_bad_token_endpoint_gets_no_secret(
    server: TokenServer, metadata: dict[str, object]
) -> None:
    server.metadata = metadata
    with (
        client(credentials(server, token_endpoint=None, issuer=ISSUER), Api()) as http,
        pytest.raises(TokenUnavailable),
    ):
        http.get("/notes")
    assert not server.requests


def test_endpoint_that_moved_is_found_again(server: TokenServer) -> None:
    server.answers = [httpx.Response(404)]
    auth = credentials(server, token_endpoint=None, issuer=ISSUER, clock=time.monotonic)
    with client(auth, Api()) as http, pytest.raises(TokenUnavailable, match="404"):
        http.get("/notes")
    server.metadata = {"issuer": ISSUER, "token_endpoint": f"{ISSUER}/new"}
    auth._token._by_process.clear()  # the pause after a failure
    with client(auth, Api()) as http:
        assert http.get("/notes").status_code == 200
    assert [request.url.path for request in server.requests] == ["/token", "/new"]


@pytest.mark.parametrize(
    "settings",
    [
        {"client_secret": None},
        {"private_key": "-----BEGIN"},
        {"client_secret": ""},
        {"client_secret": None, "private_key": "not a key"},
        {"client_secret": None, "private_key": ec.generate_private_key(ec.SECP384R1())},
        {"client_secret": None, "private_key": rsa.generate_private_key(65537, 1024)},
        {"client_id": ""},
        {"token_endpoint": None},
        {"token_endpoint": "http://id.example.com/token"},
        {"token_endpoint": "https://user:password@id.example.com/token"},
        {"token_endpoint": None, "issuer": "http://id.example.com"},
        {"issuer": "https://id.example.com/?tenant=1"},
        {"resource": None},
        {"resource": "urn:example:notes"},
        {"resource": "http://api.example.com"},
        {"resource": "notes"},
        {"resource": None, "origins": ["http://api.example.com"]},
        {"origins": ["ftp://api.example.com"]},
        {"timeout": 0},
        {"timeout": float("nan")},
    ],
    ids=lambda settings: ",".join(settings),
)
def test_settings_that_do_not_belong_together_are_refused(server: TokenServer, settings: dict[str, object]) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - each has a message of its own
        credentials(server, **settings)
    assert SECRET not in str(refused.value)


# Where the token goes


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/notes",
        "https://api.example.com.evil.example/notes",
        "https://api.example.com@evil.example/notes",
        "https://sub.api.example.com/notes",
        "http://api.example.com/notes",
        "https://api.example.com:8443/notes",
        "https://api.example.com./notes",
        "http://localhost/notes",
    ],
)
async def test_token_is_sent_to_the_origin_of_the_resource_only(server: TokenServer, url: str) -> None:
    api, auth = Api(), credentials(server)
    with httpx.Client(transport=api.transport, auth=auth) as http, pytest.raises(WrongOrigin, match="https://api"):
        http.get(url)  # noqa: ASYNC212 - a transport in memory
    async with httpx.AsyncClient(transport=api.transport, auth=auth) as http_async:
        with pytest.raises(WrongOrigin):
            await http_async.get(url)
    assert not api.tokens
    assert not server.requests


@pytest.mark.parametrize("url", ["https://API.example.com:443/notes", "https://inside.example.com/notes"])
def test_named_origins_get_the_token(server: TokenServer, url: str) -> None:
    api = Api()
    auth = credentials(server, origins=["https://inside.example.com/a/path"])
    with httpx.Client(transport=api.transport, auth=auth) as http:
        assert http.get(url).status_code == 200
    assert api.tokens == ["token-1"]


def test_resource_that_is_only_a_name_needs_origins(server: TokenServer) -> None:
    api = Api()
    with client(credentials(server, resource="urn:example:notes", origins=API), api) as http:
        assert http.get("/notes").status_code == 200
    assert dict(parse_qsl(server.requests[0].content.decode()))["resource"] == "urn:example:notes"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("evil", ["https://evil.example/", "http://api.example.com/", "https://api.example.com:8443/"])
async def test_redirect_to_another_origin_does_not_carry_the_token(server: TokenServer, status: int, evil: str) -> None:
    seen: list[tuple[str, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((str(request.url), request.headers.get("Authorization")))
        if str(request.url) == f"{API}/notes":
            return httpx.Response(status, headers={"Location": evil})
        return httpx.Response(401, headers=INVALID_TOKEN)  # to be asked again, with a new token

    auth, transport = credentials(server), httpx.MockTransport(answer)
    with httpx.Client(transport=transport, auth=auth, follow_redirects=True) as http:
        assert http.post(f"{API}/notes", json={}).status_code == 401  # noqa: ASYNC212
    async with httpx.AsyncClient(transport=transport, auth=auth, follow_redirects=True) as http_async:
        assert (await http_async.post(f"{API}/notes", json={})).status_code == 401
    assert seen == [(f"{API}/notes", "Bearer token-1"), (evil, None)] * 2
    assert len(server.requests) == 1


def test_redirect_that_the_caller_follows_is_refused_at_another_origin(server: TokenServer) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(302, headers={"Location": "https://evil.example/"}))
    with httpx.Client(transport=transport, auth=credentials(server)) as http:
        response = http.get(f"{API}/notes")
        assert response.next_request is not None
        with pytest.raises(WrongOrigin):
            http.send(response.next_request)


def test_redirect_within_the_origin_keeps_the_token(server: TokenServer) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(f"{request.url.path} {request.headers['Authorization']}")
        if request.url.path == "/notes":
            return httpx.Response(307, headers={"Location": "/v2/notes"})
        return httpx.Response(200) if "token-2" in seen[-1] else httpx.Response(401, headers=INVALID_TOKEN)

    with httpx.Client(transport=httpx.MockTransport(answer), auth=credentials(server), follow_redirects=True) as http:
        assert http.get(f"{API}/notes").status_code == 200
    paths_and_tokens = [(path, f"Bearer token-{n}") for n in (1, 2) for path in ("/notes", "/v2/notes")]
    assert seen == [" ".join(pair) for pair in paths_and_tokens]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_of_the_token_endpoint_is_not_followed(server: TokenServer, status: int) -> None:
    server.answers = [httpx.Response(status, headers={"Location": "https://evil.example/token"})]
    with client(credentials(server), Api()) as http, pytest.raises(TokenUnavailable, match=str(status)):
        http.get("/notes")
    assert len(server.requests) == 1


# A token that the API refuses


def test_revoked_token_is_replaced_and_the_request_sent_once_more(server: TokenServer) -> None:
    api = Api(revoke("token-1"))
    with client(credentials(server), api) as http:
        response = http.post("/notes", json={"title": "Nightly"})
        assert response.status_code == 200
        assert [earlier.status_code for earlier in response.history] == [401]
        http.get("/notes")
    assert api.tokens == ["token-1", "token-2", "token-2"]
    assert api.bodies[:2] == [b'{"title":"Nightly"}'] * 2


async def test_revoked_token_is_replaced_for_an_async_client(server: TokenServer) -> None:
    api = Api(revoke("token-1"))
    async with httpx.AsyncClient(transport=api.transport, auth=credentials(server), base_url=API) as http:
        assert (await http.post("/notes", data={"title": "Nightly"})).status_code == 200
    assert api.tokens == ["token-1", "token-2"]
    assert api.bodies == [b"title=Nightly"] * 2


async def test_request_is_sent_twice_at_most_and_a_vain_replacement_is_not_repeated(server: TokenServer) -> None:
    api = Api(lambda _: httpx.Response(401, headers=INVALID_TOKEN))
    auth = credentials(server)
    with client(auth, api) as http:
        assert http.get("/notes").status_code == 401
        assert api.tokens == ["token-1", "token-2"]
        for _ in range(3):
            assert http.get("/notes").status_code == 401
    async with httpx.AsyncClient(transport=api.transport, auth=auth, base_url=API) as http_async:
        assert (await http_async.get("/notes")).status_code == 401
    assert api.tokens == ["token-1", "token-2", *["token-2"] * 4]
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("status", "headers"),
    [(401, {}), (401, OTHER_TOKEN), (403, INVALID_TOKEN), (500, INVALID_TOKEN), (400, INVALID_TOKEN)],
)
def test_other_refusals_are_not_retried(server: TokenServer, status: int, headers: dict[str, str]) -> None:
    api = Api(lambda _: httpx.Response(status, headers=headers))
    with client(credentials(server), api) as http:
        assert http.get("/notes").status_code == status
    assert api.tokens == ["token-1"]


class StreamingTransport(httpx.BaseTransport):
    """Reads each body as the network does, where httpx.MockTransport keeps it. Refuses token-1."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)
        assert sum(map(len, request.stream)) > 0 or request.method == "GET"
        self.tokens.append(request.headers["Authorization"])
        return revoke("Bearer token-1")(self.tokens[-1])


def _parts() -> Iterator[bytes]:
    yield b"a part"


@pytest.mark.parametrize(
    "options",
    [{"content": _parts()}, {"content": io.BytesIO(b"file")}, {"files": {"f": io.BytesIO(b"file")}}],
    ids=["generator", "file", "multipart"],
)
def test_body_that_cannot_be_sent_again_is_not_retried_but_the_next_request_has_a_new_token(
    server: TokenServer, options: dict[str, object]
) -> None:
    transport = StreamingTransport()
    with httpx.Client(transport=transport, auth=credentials(server), base_url=API) as http:
        assert http.post("/notes", **options).status_code == 401  # type: ignore[arg-type]
        assert http.get("/notes").status_code == 200
    assert transport.tokens == ["Bearer token-1", "Bearer token-2"]


async def test_refusal_of_the_api_is_returned_when_there_is_no_new_token(server: TokenServer) -> None:
    api, auth = Api(revoke("token-1")), credentials(server)
    with client(auth, api) as http:
        server.answers = [httpx.Response(200, json={"access_token": "token-1", "token_type": "Bearer"})]
        server.answers += [httpx.Response(400, json={"error": "unauthorized_client"})]
        assert http.get("/notes").status_code == 401
        with pytest.raises(TokenRequestRefused, match="unauthorized_client"):
            http.get("/notes")
    async with httpx.AsyncClient(transport=api.transport, auth=auth, base_url=API) as http_async:
        with pytest.raises(TokenRequestRefused, match="unauthorized_client"):
            await http_async.get("/notes")
    assert len(server.requests) == 2


# Secrets


def test_no_secret_is_in_a_repr_a_log_line_or_an_exception(
    server: TokenServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    auth = credentials(server)
    echo = {"error": "invalid_client", "error_description": f"wrong secret: {SECRET}\r\n{'x' * 1000}"}
    server.answers = [httpx.Response(401, json=echo)]
    with client(auth, Api(revoke("token-1"))) as http:
        with pytest.raises(TokenRequestRefused) as refused:
            http.get("/notes")
        auth._token._by_process.clear()  # the pause after a failure
        http.get("/notes")
        with pytest.raises(WrongOrigin) as misdirected:
            http.get("https://evil.example/")
    error = refused.value
    assert (error.error, error.status) == ("invalid_client", 401)
    assert error.error_description.startswith("wrong secret: ***??xxx")
    assert len(error.error_description) == 200
    assert error.__cause__ is None
    for text in (caplog.text, repr(auth), repr(error), str(error), repr(misdirected.value), repr(auth.__dict__)):
        assert "bot" in text or "evil" in text or "wrong secret" in text or "SharedToken" in text
        assert SECRET not in text
        assert "100%25" not in text
        assert "token-1" not in text


def test_assertion_is_not_shown_when_the_endpoint_repeats_it() -> None:
    assertions: list[str] = []

    def echo(request: httpx.Request) -> httpx.Response:
        assertions.append(dict(parse_qsl(request.content.decode()))["client_assertion"])
        return httpx.Response(400, json={"error": "invalid_client", "error_description": assertions[-1]})

    server = TokenServer()
    key = ec.generate_private_key(ec.SECP256R1())
    auth = credentials(server, client_secret=None, private_key=key, transport=httpx.MockTransport(echo))
    with client(auth, Api()) as http, pytest.raises(TokenRequestRefused) as refused:
        http.get("/notes")
    assert str(refused.value) == "invalid_client: ***"
