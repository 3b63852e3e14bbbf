"""Three lines protect an endpoint: RFC 6750, RFC 9470, RFC 9728, and the OpenAPI document."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI

from tallystick.claims import AccessTokenClaims
from tallystick.fastapi import Tallystick
from tests.support.token_issuer import AUDIENCE, ISSUER, TokenIssuer
from tests.support.waiting import until

METADATA = f"{AUDIENCE}/.well-known/oauth-protected-resource"


@pytest.fixture
def auth(issuer: TokenIssuer) -> Tallystick:
    return Tallystick(issuer=ISSUER, audience=AUDIENCE, clock=issuer.clock, transport=issuer.transport)


@pytest.fixture
def app(auth: Tallystick) -> FastAPI:
    app = FastAPI()
    app.include_router(auth.metadata)

    @app.get("/notes")
    async def notes(claims: Annotated[AccessTokenClaims, auth.requires("notes:read")]) -> str:
        return claims.sub

    @app.get("/both")
    async def both(claims: Annotated[AccessTokenClaims, auth.requires("notes:read", "notes:write")]) -> str:
        return claims.sub

    @app.get("/fresh")
    async def fresh(
        claims: Annotated[AccessTokenClaims, auth.requires("notes:read", max_age=300, acr_values=["two", "three"])],
    ) -> str:
        return claims.sub

    @app.get("/whoami")
    async def whoami(claims: Annotated[AccessTokenClaims, auth.requires()]) -> AccessTokenClaims:
        return claims

    return app


@pytest.fixture
async def client(app: FastAPI, auth: Tallystick) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=AUDIENCE) as client:
        yield client
    await auth.aclose()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_good_token_is_accepted(client: httpx.AsyncClient, issuer: TokenIssuer) -> None:
    response = await client.get("/notes", headers=bearer(issuer.access_token()))
    assert (response.status_code, response.json()) == (200, "user-1")


async def test_request_without_a_token_gets_a_challenge_without_error_code(client: httpx.AsyncClient) -> None:
    response = await client.get("/notes")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == f'Bearer resource_metadata="{METADATA}"'
    assert response.headers["Cache-Control"] == "no-store"


async def test_token_in_the_query_is_ignored(client: httpx.AsyncClient, issuer: TokenIssuer) -> None:
    response = await client.get("/notes", params={"access_token": issuer.access_token()})
    assert response.status_code == 401
    assert "error" not in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "change",
    [
        lambda token: "",
        lambda token: "x",
        lambda token: f"{token}=",
        lambda token: f"{token} {token}",
        lambda token: token[:-2],
        lambda token: token.upper(),
        lambda token: "\xff" * 100,
        lambda token: "." * 50_000,
    ],
)
async def test_malformed_token_is_answered_with_invalid_token(
    client: httpx.AsyncClient, issuer: TokenIssuer, change: Callable[[str], str]
) -> None:
    header = (b"Authorization", f"Bearer {change(issuer.access_token())}".encode("latin-1"))
    response = await client.get("/notes", headers=[header])
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token", error_description="')
    assert f'resource_metadata="{METADATA}"' in response.headers["WWW-Authenticate"]


async def test_several_authorization_headers_are_refused(client: httpx.AsyncClient, issuer: TokenIssuer) -> None:
    headers = [("Authorization", f"Bearer {issuer.access_token()}")] * 2
    response = await client.get("/notes", headers=headers)
    assert response.status_code == 400
    assert 'error="invalid_request"' in response.headers["WWW-Authenticate"]


async def test_challenge_names_the_missing_scopes(client: httpx.AsyncClient, issuer: TokenIssuer) -> None:
    response = await client.get("/both", headers=bearer(issuer.access_token(scope="notes:read")))
    assert response.status_code == 403
    assert 'error="insufficient_scope"' in response.headers["WWW-Authenticate"]
    assert 'scope="notes:read notes:write"' in response.headers["WWW-Authenticate"]


async def test_login_is_accepted_until_max_age(client: httpx.AsyncClient, issuer: TokenIssuer) -> None:
    token = issuer.access_token(auth_time=issuer.clock.now, acr="two")
    assert (await client.get("/fresh", headers=bearer(token))).status_code == 200
    issuer.clock.advance(seconds=301)  # within the token's own leeway
    assert (await client.get("/fresh", headers=bearer(token))).status_code == 401
    assert (await client.get("/notes", headers=bearer(token))).status_code == 200


@pytest.mark.parametrize(
    "claims", [{}, {"auth_time": 0, "acr": "two"}, {"auth_time": 2**40, "acr": "two"}, {"acr": "two"}, {"acr": "one"}]
)
async def test_challenge_of_an_insufficient_login_names_max_age_and_acr_values(
    client: httpx.AsyncClient, issuer: TokenIssuer, claims: dict[str, object]
) -> None:
    response = await client.get("/fresh", headers=bearer(issuer.access_token(**claims)))
    assert response.status_code == 401
    challenge = response.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer error="insufficient_user_authentication", error_description="needs ')
    assert challenge.endswith(f'resource_metadata="{METADATA}", max_age="300", acr_values="two three"')
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("claims", [{"auth_time": "1"}, {"auth_time": 1.5}, {"auth_time": True}, {"acr": ["two"]}])
async def test_wrongly_typed_login_claim_is_invalid_token(
    client: httpx.AsyncClient, issuer: TokenIssuer, claims: dict[str, object]
) -> None:
    good: dict[str, object] = {"auth_time": issuer.clock.now, "acr": "two"}
    response = await client.get("/fresh", headers=bearer(issuer.access_token(**good | claims)))
    assert response.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')


async def test_scope_is_checked_before_the_login(client: httpx.AsyncClient, issuer: TokenIssuer) -> None:
    response = await client.get("/fresh", headers=bearer(issuer.access_token(scope="")))
    assert response.status_code == 403


@pytest.mark.parametrize("max_age", [0, -1])
def test_max_age_below_one_second_is_refused_at_start(auth: Tallystick, max_age: int) -> None:
    with pytest.raises(ValueError, match="max_age"):
        auth.requires(max_age=max_age)


@pytest.mark.parametrize("acr_values", ["two", [""], ["a b"], ['"'], ["\\"], ["é"], ["two", "two"]])
def test_invalid_acr_is_refused_at_start(auth: Tallystick, acr_values: Sequence[str]) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        auth.requires(acr_values=acr_values)


async def test_endpoint_without_required_scopes_still_requires_a_token(
    client: httpx.AsyncClient, issuer: TokenIssuer
) -> None:
    assert (await client.get("/whoami")).status_code == 401
    response = await client.get("/whoami", headers=bearer(issuer.access_token(scope="", locale="en")))
    assert response.status_code == 200
    assert response.json()["locale"] == "en"


async def test_request_before_the_first_keys_gets_503_with_retry_after(
    client: httpx.AsyncClient, issuer: TokenIssuer
) -> None:
    issuer.is_away = True
    response = await client.get("/notes", headers=bearer(issuer.access_token()))
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize("audience", ["api://notes", "urn:example:notes"])
async def test_audience_of_another_scheme_is_accepted_and_has_no_metadata(issuer: TokenIssuer, audience: str) -> None:
    """RFC 8707 §2 lets such a URI name an API. RFC 9728 defines the document for URLs only."""
    auth = Tallystick(ISSUER, audience, clock=issuer.clock, transport=issuer.transport)
    app = FastAPI()
    app.include_router(auth.metadata)

    @app.get("/whoami")
    async def whoami(claims: Annotated[AccessTokenClaims, auth.requires()]) -> str:
        return claims.sub

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://api.example.com") as client:
        token = issuer.access_token(aud=audience)
        assert (await client.get("/whoami", headers={"Authorization": f"Bearer {token}"})).status_code == 200
        assert (await client.get("/whoami")).headers["www-authenticate"] == "Bearer"
    await auth.aclose()


@pytest.mark.parametrize(
    "audience", ["notes", "localhost:8001", "http://api.example.com", "api://x?y", "urn:", "ftp:x"]
)
def test_audience_that_the_auth_service_refuses_is_refused_at_start(audience: str) -> None:
    with pytest.raises(ValueError, match=r"absolute URI|plain http"):
        Tallystick(ISSUER, audience)


async def test_metadata_names_the_issuer_and_the_scopes(client: httpx.AsyncClient) -> None:
    response = await client.get(METADATA)
    assert response.json() == {
        "resource": AUDIENCE,
        "authorization_servers": [ISSUER],
        "scopes_supported": ["notes:read", "notes:write"],
        "bearer_methods_supported": ["header"],
    }
    assert response.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize(
    ("audience", "path"),
    [
        ("https://api.example.com/", "/.well-known/oauth-protected-resource"),
        ("https://api.example.com/v1", "/.well-known/oauth-protected-resource/v1"),
        ("https://api.example.com/v1/", "/.well-known/oauth-protected-resource/v1"),
    ],
)
async def test_metadata_path_contains_the_path_of_the_audience(audience: str, path: str) -> None:
    app = FastAPI()
    app.include_router(Tallystick(ISSUER, audience, name="Notes", scopes={"notes:read": "Read"}).metadata)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=AUDIENCE) as client:
        document = (await client.get(path)).json()
    assert (document["resource"], document["resource_name"]) == (audience, "Notes")


def test_openapi_document_has_the_oauth2_flow_and_scopes(app: FastAPI) -> None:
    document = app.openapi()
    assert document["components"]["securitySchemes"] == {
        "Tallystick": {
            "type": "oauth2",
            "flows": {
                "authorizationCode": {
                    "authorizationUrl": f"{ISSUER}/authorize",
                    "tokenUrl": f"{ISSUER}/token",
                    "scopes": {"notes:read": "", "notes:write": ""},
                }
            },
        }
    }
    assert document["paths"]["/both"]["get"]["security"] == [{"Tallystick": ["notes:read", "notes:write"]}]
    assert document["paths"]["/whoami"]["get"]["security"] == [{"Tallystick": []}]


def test_openapi_flow_uses_the_configured_scopes_and_endpoints() -> None:
    auth = Tallystick(
        ISSUER,
        AUDIENCE,
        scopes={"notes:read": "Read your notes"},
        authorization_endpoint=f"{ISSUER}/oauth/authorize",
        token_endpoint=f"{ISSUER}/oauth/token",
    )
    app = FastAPI()

    @app.get("/notes")
    async def notes(claims: Annotated[AccessTokenClaims, auth.requires("notes:read")]) -> str:
        return claims.sub

    flow = app.openapi()["components"]["securitySchemes"]["Tallystick"]["flows"]["authorizationCode"]
    assert flow == {
        "authorizationUrl": f"{ISSUER}/oauth/authorize",
        "tokenUrl": f"{ISSUER}/oauth/token",
        "scopes": {"notes:read": "Read your notes"},
    }


async def test_metadata_router_fetches_keys_during_the_lifespan_of_the_app(
    issuer: TokenIssuer, auth: Tallystick
) -> None:
    log: list[str] = []

    @asynccontextmanager
    async def own_lifespan(_: FastAPI) -> AsyncIterator[None]:
        log.append("start")
        yield
        log.append("stop")

    app = FastAPI(lifespan=own_lifespan)
    app.include_router(auth.metadata)
    for _ in range(2):
        async with app.router.lifespan_context(app):
            await until(lambda: auth.is_ready)
    assert log == ["start", "stop"] * 2


def test_start_without_the_issuer_uses_the_last_known_keys(issuer: TokenIssuer, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(issuer.document)
    assert Tallystick(ISSUER, AUDIENCE, jwks_file=path, transport=issuer.transport).is_ready


@pytest.mark.parametrize(
    ("issuer_url", "audience"),
    [(ISSUER, "http://api.example.com"), ("http://id.example.com", AUDIENCE)],
)
def test_plain_http_is_refused_except_on_loopback(issuer_url: str, audience: str) -> None:
    with pytest.raises(ValueError, match="http"):
        Tallystick(issuer_url, audience)


def test_invalid_scope_is_refused_at_start(auth: Tallystick) -> None:
    with pytest.raises(ValueError, match="scope"):
        auth.requires('notes:"read"')
