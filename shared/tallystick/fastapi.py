"""Protect a FastAPI app in three lines.

auth = Tallystick(issuer="https://id.example.com", audience="https://api.example.com")
app.include_router(auth.metadata)

@app.get("/notes")
async def notes(claims: Annotated[AccessTokenClaims, auth.requires("notes:read")]): ...
"""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any, Unpack

from fastapi import APIRouter, FastAPI, HTTPException, Request, Security
from fastapi.openapi.models import OAuth2, OAuthFlowAuthorizationCode, OAuthFlows
from fastapi.responses import JSONResponse
from fastapi.security.base import SecurityBase

from tallystick.access_token_request import VERDICTS, AccessTokenRequest, Refusal, Requirement
from tallystick.claims import AccessTokenClaims
from tallystick.protected_api import METADATA_HEADERS, ApiOptions, ProtectedApi, ProtectedResource
from tallystick.remote.health import IssuerHealth
from tallystick.remote.options import STATUS_MAX_AGE, StatusPolicyName

__all__ = ["STATUS_MAX_AGE", "VERDICTS", "IssuerHealth", "StatusPolicyName", "Tallystick"]


class Tallystick:
    """One API: the issuer of its tokens, and its audience."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        authorization_endpoint: str | None = None,
        token_endpoint: str | None = None,
        **options: Unpack[ApiOptions],
    ) -> None:
        """The parameters are those of `ProtectedApi`, and `options` those of ApiOptions. The endpoints are for the
        Authorize button of the docs page.

        Raises ValueError for a URL that is neither https nor on loopback, and for an invalid number of seconds.
        """
        self.api = ProtectedApi(
            issuer, audience, authorization_endpoint=authorization_endpoint, token_endpoint=token_endpoint, **options
        )
        self._flow = OAuthFlowAuthorizationCode(
            authorizationUrl=self.api.authorization_endpoint, tokenUrl=self.api.token_endpoint
        )
        self._flow.scopes = self.api.scopes  # this object, because `requires` adds scopes
        self.metadata = self._metadata_router()
        """A router for the app: the metadata document, and a lifespan that keeps keys and status lists fresh."""

    @property
    def is_ready(self) -> bool:
        """Whether tokens can be accepted: there is a key, and the status lists are as recent as the policy requires."""
        return self.api.is_ready

    def health(self) -> IssuerHealth:
        """How recent the issuer's keys and status lists are at this moment."""
        return self.api.health()

    async def verify(self, token: str) -> AccessTokenClaims:
        """The claims of a token that no dependency verified. Raises InvalidToken, TemporarilyUnavailable."""
        return await self.api.async_verifier.verify(token)

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
        dependency = _AccessToken(self.api.resource(requirement), self._flow)
        return Security(dependency, scopes=requirement.scopes)

    async def aclose(self) -> None:
        """Stop fetching keys and status lists. The lifespan of `metadata` calls it."""
        await self.api.aclose()

    def _metadata_router(self) -> APIRouter:
        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            async with self.api.async_verifier:
                yield

        router = APIRouter(lifespan=lifespan)
        if self.api.metadata_path is None:  # RFC 9728 §1.2: only a URL has a place for the document
            return router

        @router.get(self.api.metadata_path, include_in_schema=False)
        async def protected_resource_metadata() -> JSONResponse:
            """The metadata document of this API."""
            return JSONResponse(self.api.metadata_document(), headers=METADATA_HEADERS)

        return router


class _AccessToken(SecurityBase):
    """The dependency behind `requires`. There is one object per endpoint, because it runs with every request."""

    scheme_name = "Tallystick"

    def __init__(self, resource: ProtectedResource, flow: OAuthFlowAuthorizationCode) -> None:
        self.model = OAuth2(flows=OAuthFlows(authorizationCode=flow))
        self._resource = resource

    async def __call__(self, request: Request) -> AccessTokenClaims:
        answer = await self._resource.check_async(
            AccessTokenRequest(request.method, lambda: str(request.url), request.headers.getlist("authorization"))
        )
        if isinstance(answer, Refusal):
            raise HTTPException(answer.status, answer.description, answer.headers)
        return answer
