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
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
from fastapi import APIRouter, FastAPI, HTTPException, Request, Security
from fastapi.openapi.models import OAuth2, OAuthFlowAuthorizationCode, OAuthFlows
from fastapi.responses import JSONResponse
from fastapi.security.base import SecurityBase

from tallystick.access_token_request import bearer_token, challenge, require_authentication, require_scopes
from tallystick.claims import AccessTokenClaims
from tallystick.clock import Clock, system_clock
from tallystick.errors import BearerError, InsufficientScope, InvalidToken, TemporarilyUnavailable
from tallystick.followed import Followed
from tallystick.remote.issuer import FOLLOW_EVERY, RemoteIssuer
from tallystick.remote.status_file import StatusFile
from tallystick.scope import parse_scope
from tallystick.status_check import StatusPolicy
from tallystick.urls import check_audience, well_known
from tallystick.verifier import Verifier

StatusPolicyName = Literal["serve_until_exp", "fail_closed"]

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
STATUS_MAX_AGE = 60
"""Seconds: what clocks that are half a minute apart, and a list that is signed every ten seconds, leave room for."""


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
        status_policy: StatusPolicyName = "serve_until_exp",
        status_max_age: int = STATUS_MAX_AGE,
        status_file: Path | None = None,
        follow_every: float = FOLLOW_EVERY,
        authorization_endpoint: str | None = None,
        token_endpoint: str | None = None,
        clock: Clock = system_clock,
        transport: httpx.AsyncBaseTransport | None = None,
        on_verdict: Callable[[str], None] | None = None,
    ) -> None:
        """`audience` is the URL of this API, as the tokens name it (RFC 8707); a URI of another scheme, such as
        `api://notes`, has no metadata document (RFC 9728). `name` and `scopes` (each with what it
        allows, for people to read) are for its metadata and its OpenAPI document; scopes that an endpoint requires
        need not be listed.

        `jwks_uri`, `jwks_file`, `clock`, `transport`: see RemoteKeySet. `follow_every`: seconds between two looks at
        the issuer's keys and status lists. `on_verdict` is told one of VERDICTS with every request that needs a token.

        `status_policy` says what becomes of tokens while nobody can tell whether they were revoked: good until their
        `exp`, or, with fail_closed, answered with 503 once the list was signed more than `status_max_age` seconds ago.
        `status_file` holds the first lists, until the issuer tells; it is rewritten when they say something else.

        The endpoints are for the docs page's Authorize button, and default to /authorize and /token of the issuer.

        Raises ValueError for addresses that are neither https nor on loopback, and for times that make no sense.
        """
        self._issuer = issuer
        self._audience = check_audience(audience)
        self._name = name
        policy = StatusPolicy(status_max_age if status_policy == "fail_closed" else None)
        max_lag = None if policy.max_age is None else policy.max_age // 2
        self._followed = RemoteIssuer(
            issuer,
            jwks_uri=jwks_uri,
            jwks_file=jwks_file,
            status_file=None if status_file is None else StatusFile(status_file, max_lag=max_lag),
            follow_every=follow_every,
            clock=clock,
            transport=transport,
        )
        self.verifier = Verifier(self._followed, audience, status_policy=policy, clock=clock)
        """For tokens that do not come by way of a dependency."""
        self._clock = clock
        self._on_verdict = on_verdict or _nobody_counts
        self._flow = OAuthFlowAuthorizationCode(
            authorizationUrl=authorization_endpoint or f"{issuer.rstrip('/')}/authorize",
            tokenUrl=token_endpoint or f"{issuer.rstrip('/')}/token",
            scopes=dict(scopes or {}),
        )
        is_url = audience.startswith(("https:", "http:"))
        self._resource_metadata = well_known(audience, "oauth-protected-resource") if is_url else None
        self.metadata = self._metadata_router()
        """For the app to include: the document that challenges point to, and the care for keys and lists meanwhile."""

    @property
    def is_ready(self) -> bool:
        """Whether tokens can be served: a key is at hand, and the status lists are as young as the policy wants."""
        return bool(self._followed.key_set.keys) and not self.verifier.statuses.is_failing_closed

    def followed(self) -> Followed:
        """How well we follow the issuer, at this moment."""
        return Followed.of(self._followed, self.verifier.statuses, now=self._clock())

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
            self.verifier, self._resource_metadata, words, login, self._flow, self._on_verdict
        )
        return Security(bearer_token_of, scopes=words)

    async def aclose(self) -> None:
        """Stop following the issuer. The app's lifespan does it where `metadata` is included."""
        await self._followed.aclose()

    def _metadata_router(self) -> APIRouter:
        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            self._followed.keep_fresh()
            try:
                yield
            finally:
                await self.aclose()

        router = APIRouter(lifespan=lifespan)
        if self._resource_metadata is None:  # RFC 9728 §1.2: only a URL has a place for the document
            return router

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
        resource_metadata: str | None,
        scopes: tuple[str, ...],
        login: _Login,
        flow: OAuthFlowAuthorizationCode,
        on_verdict: Callable[[str], None],
    ) -> None:
        self.model = OAuth2(flows=OAuthFlows(authorizationCode=flow))
        self.verifier = verifier
        self._resource_metadata = resource_metadata
        self._scopes = scopes
        self._login = login
        self._on_verdict = on_verdict

    async def __call__(self, request: Request) -> AccessTokenClaims:
        try:
            claims = await self.verifier.verify(bearer_token(request.headers.getlist("authorization")))
            require_scopes(claims, self._scopes)  # first: no login gives a scope
            self._login.require(claims)
        except BearerError as refusal:
            self._on_verdict(_verdict(refusal))
            self._explain(refusal)
            headers = {"WWW-Authenticate": challenge(refusal, self._resource_metadata), "Cache-Control": "no-store"}
            raise HTTPException(refusal.status, refusal.description, headers) from refusal
        except TemporarilyUnavailable as away:
            self._on_verdict("temporarily_unavailable")
            headers = {"Retry-After": str(away.retry_after), "Cache-Control": "no-store"}
            raise HTTPException(away.status, away.description, headers) from away
        self._on_verdict("accepted")
        return claims

    def _explain(self, refusal: BearerError) -> None:
        """Log why, for the refusals that the verifier does not see."""
        warnings = self.verifier.refusal_warnings
        if isinstance(refusal, InvalidToken) or not warnings.is_due(refusal.reason):
            return
        needed = {"needed_scope": " ".join(self._scopes)} if isinstance(refusal, InsufficientScope) else {}
        warnings.write(refusal.reason, **needed)


def _verdict(refusal: BearerError) -> str:
    if isinstance(refusal, InvalidToken):
        return refusal.reason
    return refusal.error or "no_token"


def _nobody_counts(_verdict: str) -> None:
    pass
