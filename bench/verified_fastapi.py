"""Endpoints of FastAPI: ours, with PyJWT's key client, with joserfc and without a check. See bench.verified for the
arguments.

The keys are cached in each: in both caches of PyJWKClient, and in joserfc's KeySet. Their dependencies are async
functions, as in FastAPI's tutorial. In an app, a fetch by PyJWKClient would block the event loop there.
"""

import asyncio
from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2AuthorizationCodeBearer
from joserfc import jwt as joserfc_jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from bench.services import AUDIENCE
from bench.verified import BARE, ISSUER, ISSUER_TRANSPORT, KEYS, OURS, Serve, measure, serve_on_loop
from tallystick.claims import AccessTokenClaims
from tallystick.fastapi import Tallystick

PYJWT, JOSERFC = "PyJWKClient and PyJWT", "joserfc"

Token = Annotated[str, Depends(OAuth2AuthorizationCodeBearer(f"{ISSUER}/authorize", f"{ISSUER}/token"))]


class LocalKeyClient(jwt.PyJWKClient):
    """Its keys come from this process instead of the network."""

    def fetch_data(self) -> Any:
        return KEYS


key_client = LocalKeyClient(f"{ISSUER}/jwks", cache_keys=True)
key_set = KeySet.import_key_set(KEYS)  # type: ignore[arg-type]
registry = JWTClaimsRegistry(
    iss={"essential": True, "value": ISSUER}, aud={"essential": True, "value": AUDIENCE}, exp={"essential": True}
)


def _require_scope(claims: dict[str, Any]) -> None:
    if "notes:read" not in claims.get("scope", "").split():
        raise HTTPException(403)


async def pyjwt_claims(token: Token) -> dict[str, Any]:
    try:
        key = key_client.get_signing_key_from_jwt(token)
        claims: dict[str, Any] = jwt.decode(token, key, algorithms=["ES256"], audience=AUDIENCE, issuer=ISSUER)
    except jwt.PyJWTError as refused:
        raise HTTPException(401) from refused
    _require_scope(claims)
    return claims


async def joserfc_claims(token: Token) -> dict[str, Any]:
    try:
        claims = joserfc_jwt.decode(token, key_set, algorithms=["ES256"]).claims
        registry.validate(claims)
    except (JoseError, ValueError) as refused:
        raise HTTPException(401) from refused
    _require_scope(claims)
    return claims


def create_app() -> tuple[FastAPI, dict[str, str]]:
    """The app, and the path of each contender."""
    app = FastAPI()
    auth = Tallystick(ISSUER, AUDIENCE, transport=ISSUER_TRANSPORT)
    app.include_router(auth.metadata)

    @app.get("/ours")
    async def ours(claims: Annotated[AccessTokenClaims, auth.requires("notes:read")]) -> dict[str, str]:
        return {"sub": claims.sub}

    @app.get("/pyjwt")
    async def pyjwt(claims: Annotated[dict[str, Any], Depends(pyjwt_claims)]) -> dict[str, str]:
        return {"sub": claims["sub"]}

    @app.get("/joserfc")
    async def joserfc(claims: Annotated[dict[str, Any], Depends(joserfc_claims)]) -> dict[str, str]:
        return {"sub": claims["sub"]}

    @app.get("/bare")
    async def bare() -> dict[str, str]:
        return {"sub": "user-1"}

    return app, {OURS: "/ours", PYJWT: "/pyjwt", JOSERFC: "/joserfc", BARE: "/bare"}


def requests_to(app: FastAPI, path: str, runner: asyncio.Runner) -> Serve:
    base = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "server": ("127.0.0.1", 8001),
        "client": ("127.0.0.1", 50000),
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def call(token: str) -> int:
        statuses: list[int] = []

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        headers = [(b"host", b"localhost:8001"), (b"authorization", f"Bearer {token}".encode())]
        await app({**base, "headers": headers}, receive, send)
        return statuses[0]

    return serve_on_loop(runner, call)


if __name__ == "__main__":
    app, paths = create_app()
    with asyncio.Runner() as runner:
        lifespan = app.router.lifespan_context(app)
        runner.run(lifespan.__aenter__())
        measure({name: requests_to(app, path, runner) for name, path in paths.items()})
        runner.run(lifespan.__aexit__(None, None, None))
