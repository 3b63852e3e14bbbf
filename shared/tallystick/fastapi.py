"""Protect a FastAPI app in three lines.

auth = Tallystick(issuer="https://id.example.com", audience="https://api.example.com")
app.include_router(auth.metadata)

@app.get("/notes")
async def notes(claims: Annotated[AccessTokenClaims, auth.requires("notes:read")]): ...
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any, Unpack
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI, HTTPException, Request, Security
from fastapi.openapi.models import OAuth2, OAuthFlowAuthorizationCode, OAuthFlows
from fastapi.responses import JSONResponse
from fastapi.security.base import SecurityBase

from tallystick.access_token_request import VERDICTS, AccessTokenRequest, ProtectedResource, Requirement
from tallystick.claims import AccessTokenClaims
from tallystick.clock import Clock, system_clock
from tallystick.errors import BearerError, TemporarilyUnavailable
from tallystick.remote.health import IssuerHealth
from tallystick.remote.issuer import RemoteIssuer
from tallystick.remote.options import STATUS_MAX_AGE, RemoteOptions, StatusPolicyName, remote_verifier
from tallystick.remote.verifier import RemoteVerifier
from tallystick.urls import check_audience, well_known

__all__ = ["STATUS_MAX_AGE", "VERDICTS", "IssuerHealth", "StatusPolicyName", "Tallystick"]

METADATA_MAX_AGE_SECONDS = 300


class Tallystick:
    """One API: the issuer of its tokens, and its audience."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        name: str | None = None,
        scopes: Mapping[str, str] | None = None,
        authorization_endpoint: str | None = None,
        token_endpoint: str | None = None,
        on_verdict: Callable[[str], None] | None = None,
        clock: Clock = system_clock,
        **options: Unpack[RemoteOptions],
    ) -> None:
        """`audience` is the URL of this API in its tokens (RFC 8707). A URI of another scheme, such as `api://notes`,
        has no metadata document (RFC 9728). `name` and `scopes` (each with a description for users) are for the
        metadata and the OpenAPI document. Scopes that an endpoint requires need not be listed.

        The endpoints are for the Authorize button of the docs page. They default to /authorize and /token of `issuer`.
        `on_verdict` is called with one of VERDICTS for each request that needs a token. `options`: see RemoteOptions.

        Raises ValueError for a URL that is neither https nor on loopback, and for an invalid number of seconds.
        """
        self._issuer = issuer
        self._audience = check_audience(audience)
        self._name = name
        self._clock = clock
        self._on_verdict = on_verdict
        self._remote, self._verifier = remote_verifier(issuer, audience, clock=clock, **options)
        self._flow = OAuthFlowAuthorizationCode(
            authorizationUrl=authorization_endpoint or f"{issuer.rstrip('/')}/authorize",
            tokenUrl=token_endpoint or f"{issuer.rstrip('/')}/token",
            scopes=dict(scopes or {}),
        )
        is_url = audience.startswith(("https:", "http:"))
        self._resource_metadata = well_known(audience, "oauth-protected-resource") if is_url else None
        self.metadata = self._metadata_router()
        """A router for the app: the metadata document, and a lifespan that keeps keys and status lists fresh."""

    @property
    def is_ready(self) -> bool:
        """Whether tokens can be accepted: there is a key, and the status lists are as recent as the policy requires."""
        return self._verifier.is_ready

    def health(self) -> IssuerHealth:
        """How recent the issuer's keys and status lists are at this moment."""
        return self._verifier.health()

    async def verify(self, token: str) -> AccessTokenClaims:
        """The claims of a token that no dependency verified. Raises InvalidToken, TemporarilyUnavailable."""
        self._remote.start()
        return await self._verifier.verify(token)

    def requires(
        self, *scopes: str, max_age: int | None = None, acr_values: Collection[str] = ()
    ) -> Any:  # Any, as FastAPI's own markers for Annotated
        """A dependency: the verified claims of the request's access token, which must have all of `scopes`.

        Without scopes, any token of the issuer for this audience is accepted. `max_age` requires a login at most this
        many seconds ago, and `acr_values` a login with any of these, the preferred one first. The challenge of
        RFC 9470 tells the client to send its user to log in.

        Raises ValueError for an invalid scope or acr, and for a `max_age` below 1.
        """
        requirement = Requirement(scopes, max_age, acr_values)
        for scope in requirement.scopes:
            self._flow.scopes.setdefault(scope, "")
        resource = ProtectedResource(
            requirement,
            refusal_warnings=self._verifier.refusal_warnings,
            resource_metadata=self._resource_metadata,
            on_verdict=self._on_verdict,
        )
        dependency = _AccessToken(self._remote, self._verifier, resource, self._flow, self._clock)
        return Security(dependency, scopes=requirement.scopes)

    async def aclose(self) -> None:
        """Stop fetching keys and status lists. The lifespan of `metadata` calls it."""
        await self._remote.aclose()

    def _metadata_router(self) -> APIRouter:
        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            self._remote.start()
            try:
                yield
            finally:
                await self.aclose()

        router = APIRouter(lifespan=lifespan)
        if self._resource_metadata is None:  # RFC 9728 §1.2: only a URL has a place for the document
            return router

        @router.get(urlsplit(self._resource_metadata).path, include_in_schema=False)
        async def protected_resource_metadata() -> JSONResponse:
            """The issuer of tokens for this API, and the API's scopes (RFC 9728 §2)."""
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
                headers={
                    "Access-Control-Allow-Origin": "*",
                    "Cache-Control": f"max-age={METADATA_MAX_AGE_SECONDS}",
                },
            )

        return router


class _AccessToken(SecurityBase):
    """The dependency behind `requires`. There is one object per endpoint, because it runs with every request."""

    scheme_name = "Tallystick"

    def __init__(
        self,
        remote: RemoteIssuer,
        verifier: RemoteVerifier,
        resource: ProtectedResource,
        flow: OAuthFlowAuthorizationCode,
        clock: Clock,
    ) -> None:
        self.model = OAuth2(flows=OAuthFlows(authorizationCode=flow))
        self._remote = remote
        self._verifier = verifier
        self._resource = resource
        self._clock = clock

    async def __call__(self, request: Request) -> AccessTokenClaims:
        presented = AccessTokenRequest(
            request.method, lambda: str(request.url), request.headers.getlist("authorization")
        )
        try:
            token = presented.access_token()
            self._remote.start()  # for an app that does not include `metadata`
            claims = await self._verifier.verify(token)
            self._resource.accept(presented, claims, now=self._clock())
        except (BearerError, TemporarilyUnavailable) as error:
            refusal = self._resource.refuse(error)
            raise HTTPException(refusal.status, refusal.description, refusal.headers) from error
        return claims
