"""Protect a FastAPI app in three lines.

auth = Tallystick(issuer="https://id.example.com", audience="https://api.example.com")
app.include_router(auth.metadata)

@app.get("/notes")
async def notes(claims: Annotated[AccessTokenClaims, auth.requires("notes:read")]): ...
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from fastapi import APIRouter, FastAPI, HTTPException, Request, Security
from fastapi.openapi.models import OAuth2, OAuthFlowAuthorizationCode, OAuthFlows
from fastapi.responses import JSONResponse
from fastapi.security.base import SecurityBase

from tallystick.bearer import bearer_token, challenge, require_authentication, require_scopes
from tallystick.claims import AccessTokenClaims
from tallystick.clock import Clock, system_clock
from tallystick.errors import BearerError, InvalidToken, TemporarilyUnavailable
from tallystick.key_set import RemoteKeySet
from tallystick.scope import parse_scope
from tallystick.urls import check_identifier, well_known
from tallystick.verifier import Verifier

VERDICTS = (
    "accepted",
    "no_token",
    "invalid_request",  # several Authorization headers
    *("malformed", "unknown_key", "bad_signature", "bad_claims", "wrong_issuer", "wrong_audience"),
    *("expired", "not_yet_valid", "revoked", "status_unknown"),
    "insufficient_scope",
    "insufficient_user_authentication",
    "temporarily_unavailable",
)
"""What becomes of a request that needs a token; those of an InvalidToken are its `reason`."""

METADATA_MAX_AGE = 300  # seconds


class Tallystick:
    """One API: whose tokens it believes, and for which audience."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        name: str | None = None,
        scopes: Mapping[str, str] | None = None,
        jwks_uri: str | None = None,
        jwks_file: Path | None = None,
        authorization_endpoint: str | None = None,
        token_endpoint: str | None = None,
        clock: Clock = system_clock,
        transport: httpx.AsyncBaseTransport | None = None,
        on_verdict: Callable[[str], None] | None = None,
    ) -> None:
        """`audience` is the URL of this API, as the tokens name it (RFC 8707). `name` and `scopes` (each with what it
        allows, for people to read) are for its metadata and its OpenAPI document; scopes that an endpoint requires
        need not be listed.

        `jwks_uri`, `jwks_file`, `clock`, `transport`: see RemoteKeySet. The endpoints are for the docs page's Authorize
        button, and default to /authorize and /token of the issuer. `on_verdict` is told one of VERDICTS with every
        request that needs a token.

        Raises ValueError for addresses that are neither https nor on loopback.
        """
        self._issuer = issuer
        self._audience = check_identifier(audience)
        self._name = name
        self._key_set = RemoteKeySet(issuer, jwks_uri=jwks_uri, jwks_file=jwks_file, clock=clock, transport=transport)
        self._verifier = Verifier(issuer, audience, self._key_set, clock=clock)
        self._clock = clock
        self._on_verdict = on_verdict or _nobody_counts
        self._flow = OAuthFlowAuthorizationCode(
            authorizationUrl=authorization_endpoint or f"{issuer.rstrip('/')}/authorize",
            tokenUrl=token_endpoint or f"{issuer.rstrip('/')}/token",
            scopes=dict(scopes or {}),
        )
        self._resource_metadata = well_known(audience, "oauth-protected-resource")
        self.metadata = self._metadata_router()
        """For the app to include: the document that challenges point to, and the care for the keys while it runs."""

    @property
    def is_ready(self) -> bool:
        """Whether a key is at hand to verify with."""
        return self._key_set.is_ready

    def requires(
        self, *scopes: str, max_age: int | None = None, acr_values: Collection[str] = ()
    ) -> Any:  # Any, as all that FastAPI puts into an Annotated
        """A dependency: the verified claims of the request's access token, which must have all of `scopes`.

        Without any, a token is enough. `max_age` wants a login at most so many seconds ago, `acr_values` one in any of
        these ways, the best first; a client is told so by the challenge of RFC 9470, and can send its user to log in.

        Raises ValueError for what is not a scope or an acr, and for a `max_age` that no login can meet.
        """
        words = parse_scope(" ".join(scopes))
        for word in words:
            self._flow.scopes.setdefault(word, "")
        login = _Login(max_age, _parse_acr_values(acr_values), self._clock)
        bearer_token_of = _BearerToken(
            self._verifier, self._resource_metadata, words, login, self._flow, self._on_verdict
        )
        return Security(bearer_token_of, scopes=words)

    async def aclose(self) -> None:
        """Stop the care for the keys. The app's lifespan does it where `metadata` is included."""
        await self._key_set.aclose()

    def _metadata_router(self) -> APIRouter:
        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            self._key_set.keep_fresh()
            try:
                yield
            finally:
                await self.aclose()

        router = APIRouter(lifespan=lifespan)

        @router.get(urlsplit(self._resource_metadata).path, include_in_schema=False)
        async def protected_resource_metadata() -> JSONResponse:
            """Who issues tokens for this API, and which scopes it knows (RFC 9728 §2)."""
            document = {
                "resource": self._audience,
                "authorization_servers": [self._issuer],
                "scopes_supported": list(self._flow.scopes),
                "bearer_methods_supported": ["header"],
            }
            if self._name:
                document["resource_name"] = self._name
            return JSONResponse(
                document,
                headers={"Access-Control-Allow-Origin": "*", "Cache-Control": f"max-age={METADATA_MAX_AGE}"},
            )

        return router


@dataclass(frozen=True)
class _Login:
    """What kind of login an endpoint asks for, by which clock."""

    max_age: int | None
    acr_values: tuple[str, ...]
    clock: Clock

    def __post_init__(self) -> None:
        if self.max_age is not None and self.max_age < 1:
            raise ValueError("max_age is a number of seconds, at least 1")

    def require(self, claims: AccessTokenClaims) -> None:
        require_authentication(claims, max_age=self.max_age, acr_values=self.acr_values, now=self.clock())


def _parse_acr_values(acr_values: Collection[str]) -> tuple[str, ...]:
    """Each of them is a word of a space-separated list, made of what a quoted string holds as it is: as scopes are."""
    if isinstance(acr_values, str) or parse_scope(" ".join(acr_values)) != tuple(acr_values):
        raise ValueError("acr_values are words of printable ASCII without double quote and backslash, each once")
    return tuple(acr_values)


class _BearerToken(SecurityBase):
    """The dependency behind `requires`: one plain object per endpoint, since it runs with every request."""

    scheme_name = "Tallystick"

    def __init__(
        self,
        verifier: Verifier,
        resource_metadata: str,
        scopes: tuple[str, ...],
        login: _Login,
        flow: OAuthFlowAuthorizationCode,
        on_verdict: Callable[[str], None],
    ) -> None:
        self.model = OAuth2(flows=OAuthFlows(authorizationCode=flow))
        self._verifier = verifier
        self._resource_metadata = resource_metadata
        self._scopes = scopes
        self._login = login
        self._on_verdict = on_verdict

    async def __call__(self, request: Request) -> AccessTokenClaims:
        try:
            claims = await self._verifier.verify(bearer_token(request.headers.getlist("authorization")))
            require_scopes(claims, self._scopes)  # first: no login gives a scope
            self._login.require(claims)
        except BearerError as refusal:
            self._on_verdict(_verdict(refusal))
            headers = {"WWW-Authenticate": challenge(refusal, self._resource_metadata), "Cache-Control": "no-store"}
            raise HTTPException(refusal.status, refusal.description, headers) from refusal
        except TemporarilyUnavailable as away:
            self._on_verdict("temporarily_unavailable")
            headers = {"Retry-After": str(away.retry_after), "Cache-Control": "no-store"}
            raise HTTPException(away.status, away.description, headers) from away
        self._on_verdict("accepted")
        return claims


def _verdict(refusal: BearerError) -> str:
    if isinstance(refusal, InvalidToken):
        return refusal.reason
    return refusal.error or "no_token"


def _nobody_counts(_verdict: str) -> None:
    pass
