"""An issuer that is reached under another address inside a network keeps its public name."""

import httpx
import pytest

from tallystick import AsyncVerifier, InvalidToken, TemporarilyUnavailable, Verifier
from tallystick.remote.internal_url import internal_address
from tests.support.token_issuer import AUDIENCE, ISSUER, TokenIssuer, status

INTERNAL = "http://auth:8000"


class InternalNetwork:
    """The issuer, reachable at INTERNAL only. `requested` are the URLs of the requests."""

    def __init__(self, issuer: TokenIssuer) -> None:
        self.requested: list[str] = []
        self._inner = issuer.transport
        self._clock = issuer.clock

    def verifier(self) -> AsyncVerifier:
        return AsyncVerifier(
            ISSUER,
            AUDIENCE,
            internal_url=INTERNAL,
            allow_insecure_internal_url=True,
            clock=self._clock,
            transport=httpx.MockTransport(self._answer),
        )

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requested.append(str(request.url))
        if not str(request.url).startswith(f"{INTERNAL}/"):
            raise httpx.ConnectError("no route to host")
        public = httpx.Request("GET", str(request.url).replace(INTERNAL, ISSUER), headers=request.headers)
        return await self._inner.handle_async_request(public)


async def test_every_document_of_the_issuer_is_fetched_from_the_internal_url(issuer: TokenIssuer) -> None:
    published = issuer.publish_list()
    published.revoke(9)
    network = InternalNetwork(issuer)
    async with network.verifier() as verifier:
        assert (await verifier.verify(issuer.access_token(status=status(1)))).iss == ISSUER
        with pytest.raises(InvalidToken):
            await verifier.verify(issuer.access_token(status=status(9)))
        with pytest.raises(InvalidToken):
            await verifier.verify(issuer.access_token(iss=INTERNAL))
    assert all(url.startswith(f"{INTERNAL}/") for url in network.requested)
    paths = {url.removeprefix(INTERNAL) for url in network.requested}
    assert paths == {"/.well-known/openid-configuration", "/keys", "/status-lists", "/status-lists/1"}


async def test_metadata_that_names_the_internal_url_as_issuer_is_refused(issuer: TokenIssuer) -> None:
    issuer.metadata["issuer"] = INTERNAL
    network = InternalNetwork(issuer)
    async with network.verifier() as verifier:
        with pytest.raises(TemporarilyUnavailable):
            await verifier.verify(issuer.access_token())


@pytest.mark.parametrize(
    ("published", "fetched"),
    [
        ("https://id.example.com/auth/keys?v=1", "http://auth:8000/auth/keys?v=1"),
        ("https://id.example.com:443/keys", "http://auth:8000/keys"),
        ("https://id.example.com:8443/keys", "https://id.example.com:8443/keys"),
        ("http://id.example.com/keys", "http://id.example.com/keys"),
        ("https://cdn.example.net/keys", "https://cdn.example.net/keys"),
        ("https://id.example.com.evil.example/keys", "https://id.example.com.evil.example/keys"),
    ],
)
def test_only_documents_at_the_origin_of_the_issuer_are_mapped(published: str, fetched: str) -> None:
    address = internal_address("https://id.example.com/auth", INTERNAL, allow_insecure=True)
    assert address(published) == fetched


@pytest.mark.parametrize(
    "internal_url",
    ["http://auth:8000", "https://auth/path", "https://auth?x", "https://user@auth", "auth:8000", "", "file:///keys"],
)
def test_internal_url_that_is_insecure_or_not_an_origin_stops_the_start(internal_url: str) -> None:
    with pytest.raises(ValueError, match="internal_url"):
        Verifier(ISSUER, AUDIENCE, internal_url=internal_url)


@pytest.mark.parametrize("internal_url", ["http://127.0.0.1:8000", "http://localhost:8000/", "https://auth.internal"])
def test_internal_url_on_loopback_or_with_https_needs_no_permission(internal_url: str) -> None:
    assert Verifier(ISSUER, AUDIENCE, internal_url=internal_url).issuer == ISSUER


async def test_issuer_with_a_path_is_reached_by_both_well_known_forms(issuer: TokenIssuer) -> None:
    """OpenID Connect Discovery §4 appends to the path, RFC 8414 §3.1 puts the name before it."""
    identifier = f"{ISSUER}/tenant"
    for absent in ("", "/tenant/.well-known/openid-configuration"):
        issuer.metadata = {"issuer": identifier, "jwks_uri": f"{identifier}/keys"}

        async def answer(request: httpx.Request, absent: str = absent) -> httpx.Response:
            if request.url.path == absent:
                return httpx.Response(404)
            return await issuer.transport.handle_async_request(request)

        async with AsyncVerifier(
            identifier, AUDIENCE, clock=issuer.clock, transport=httpx.MockTransport(answer)
        ) as verifier:
            assert (await verifier.verify(issuer.access_token(iss=identifier))).iss == identifier
    assert "/.well-known/oauth-authorization-server/tenant" in issuer.paths
