"""httpx authentication with an access token that a program gets for itself (RFC 6749 §4.4, RFC 6750 §2.1)."""

import logging
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterable

import httpx

from tallystick.client.authentication import ClientAuthentication, ClientSecretBasic, PrivateKeyJwt
from tallystick.client.challenge import is_invalid_token
from tallystick.client.errors import TokenError, WrongOrigin
from tallystick.client.shared_token import HeldToken, SharedToken
from tallystick.client.token_endpoint import TokenEndpoint
from tallystick.jwk import PrivateKey, SigningKey
from tallystick.key_files import read_signing_key
from tallystick.urls import check_audience, check_identifier, check_url

TIMEOUT = 10.0
"""Seconds that a request waits for a token at most."""

log = logging.getLogger("tallystick.client")


class ClientCredentials(httpx.Auth):
    """`httpx.Client(auth=ClientCredentials(…))`, and the same for `httpx.AsyncClient` on asyncio.

    One instance may serve any number of clients, threads, tasks, event loops and forked processes. They share one
    token and one token request. A token is renewed before it expires, without a request that waits for it. When the
    API answers 401 with `invalid_token`, the request is sent once more with a new token, if its body is bytes, text,
    JSON or a form; other bodies cannot be sent twice.

    Requests raise TokenRequestRefused, TokenUnavailable and WrongOrigin; each is a TokenError.
    """

    def __init__(
        self,
        *,
        client_id: str,
        issuer: str | None = None,
        token_endpoint: str | None = None,
        client_secret: str | None = None,
        private_key: SigningKey | PrivateKey | str | bytes | None = None,
        scope: str = "",
        resource: str | None = None,
        origins: Iterable[str] = (),
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`issuer`: its metadata names the token endpoint (RFC 8414). `token_endpoint`: the URL to use instead, such as
        an address inside a network; an `issuer` that is named beside it is only the audience of assertions.
        `client_secret`: for `client_secret_basic`. `private_key`: for `private_key_jwt` (RFC 7523), as a SigningKey, a
        key object of `cryptography`, or PEM text.
        `scope` is space-separated. `resource` is the API (RFC 8707). The token is sent to the origin of `resource` and
        to `origins`, to no other server. `timeout` is seconds that a request waits for a token at most.
        `clock` (seconds) and `transport` replace the time and the network of token requests, for tests.

        Raises ValueError for settings that do not belong together, and for http off loopback.
        """
        if (client_secret is None) == (private_key is None):
            raise ValueError("a client has either a client_secret or a private_key")
        if not client_id or client_secret == "":
            raise ValueError("client_id and client_secret must not be empty")
        if not issuer and not token_endpoint:
            raise ValueError("name the issuer, or its token_endpoint")
        if not timeout > 0:
            raise ValueError("timeout is a number of seconds, above 0")
        self._origins = _origins(resource, origins)
        self._client_id = client_id
        issuer, token_endpoint = issuer or None, token_endpoint or None
        where = token_endpoint or issuer
        parameters = {"scope": scope, "resource": resource or ""}
        endpoint = TokenEndpoint(
            _authentication(client_id, client_secret, private_key, issuer and check_identifier(issuer)),
            issuer=issuer,
            token_endpoint=token_endpoint and check_url(token_endpoint),
            parameters={name: value for name, value in parameters.items() if value},
            timeout=timeout,
            transport=transport,
        )
        self._token = SharedToken(
            endpoint.request_token, name=f"client {client_id!r} of {where}", timeout=timeout, clock=clock
        )

    def __repr__(self) -> str:
        return f"<ClientCredentials of {self._client_id!r} for {', '.join(sorted(map(_printed, self._origins)))}>"

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        self._check_origin(request)
        token = self._token.get()
        response = yield _with_token(request, token)
        if self._may_retry(request, response, token):
            try:
                token = self._token.get()
            except TokenError as failure:
                self._log_failed_replacement(failure)
                return
            self._check_replacement((yield _with_token(request, token)), token)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        self._check_origin(request)
        token = await self._token.aget()
        response = yield _with_token(request, token)
        if self._may_retry(request, response, token):
            try:
                token = await self._token.aget()
            except TokenError as failure:
                self._log_failed_replacement(failure)
                return
            self._check_replacement((yield _with_token(request, token)), token)

    def _check_origin(self, request: httpx.Request) -> None:
        """Raises WrongOrigin. httpx follows redirects by itself, and drops the token at another origin."""
        origin = _origin(request.url)
        if origin not in self._origins:
            allowed = ", ".join(sorted(map(_printed, self._origins)))
            raise WrongOrigin(f"the token is for {allowed}, and the request goes to {_printed(origin)}")

    def _may_retry(self, request: httpx.Request, response: httpx.Response, token: HeldToken) -> bool:
        """Whether the API refused this token, a new one may help, and the request can be sent again."""
        return (
            _is_refusal(response, token)
            and self._token.discard(token)
            # A file or generator is at its end, and a multipart body may contain one.
            and isinstance(request.stream, httpx.ByteStream)
        )

    def _check_replacement(self, response: httpx.Response, token: HeldToken) -> None:
        if _is_refusal(response, token):
            log.warning("client %r: the API refused a token that was just issued", self._client_id)
            self._token.replaced_in_vain()

    def _log_failed_replacement(self, failure: TokenError) -> None:
        log.warning("client %r: the API refused a token, and there is no new one: %s", self._client_id, failure)


def _authentication(
    client_id: str,
    client_secret: str | None,
    private_key: SigningKey | PrivateKey | str | bytes | None,
    issuer: str | None,
) -> ClientAuthentication:
    if private_key is None:
        return ClientSecretBasic(client_id, client_secret or "")
    key = private_key if isinstance(private_key, SigningKey) else read_signing_key(private_key)
    return PrivateKeyJwt(client_id, key, audience=issuer)


_Origin = tuple[str, bytes, int | None]


def _origins(resource: str | None, origins: Iterable[str]) -> frozenset[_Origin]:
    """Raises ValueError when no server is named, and for http off loopback."""
    urls = [check_url(origin) for origin in ([origins] if isinstance(origins, str) else origins)]
    if resource is not None and check_audience(resource).startswith(("http:", "https:")):
        urls.append(resource)
    if not urls:
        raise ValueError("name the API: a resource that is an http(s) URL, or its origins")
    return frozenset(_origin(httpx.URL(url)) for url in urls)


def _origin(url: httpx.URL) -> _Origin:
    """Scheme, host and port as httpx will use them, without a default port (RFC 6454 §4)."""
    return url.scheme, url.raw_host, url.port


def _printed(origin: _Origin) -> str:
    scheme, host, port = origin
    return f"{scheme}://{host.decode('ascii', 'replace')}{'' if port is None else f':{port}'}"


def _with_token(request: httpx.Request, token: HeldToken) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {token.value}"
    return request


def _is_refusal(response: httpx.Response, token: HeldToken) -> bool:
    """Whether an API refused this very token. After a redirect, another server may have answered."""
    return is_invalid_token(response) and response.request.headers.get("Authorization") == f"Bearer {token.value}"
