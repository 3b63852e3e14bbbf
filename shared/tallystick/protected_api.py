"""One API and its endpoints, for the adapter of any framework: an adapter only translates headers and responses.

    api = ProtectedApi("https://id.example.com", "https://api.example.com", name="Notes")
    resource = api.resource(Requirement(("notes:read",)))

    request = AccessTokenRequest(method, url, authorization)
    answer = resource.check(request)             # or: await resource.check_async(request)
    if isinstance(answer, Refusal): ...          # respond with its status, headers and problem details
    else: ...                                    # the claims of an accepted token

An adapter also serves `metadata_document()` at `metadata_path`, with METADATA_HEADERS (RFC 9728).
"""

from collections.abc import Callable, Mapping
from typing import Unpack
from urllib.parse import urlsplit

from tallystick.access_token_request import AccessTokenRequest, Refusal, Requirement, challenge
from tallystick.claims import AccessTokenClaims
from tallystick.clock import Clock, system_clock
from tallystick.errors import BearerError, InsufficientScope, InvalidToken, TemporarilyUnavailable
from tallystick.remote.health import IssuerHealth
from tallystick.remote.options import VerifierOptions
from tallystick.urls import well_known
from tallystick.verifier import AsyncVerifier, Verifier

METADATA_HEADERS = {"Access-Control-Allow-Origin": "*", "Cache-Control": "max-age=300"}
"""Of the response with the metadata document. Browser apps of any origin may read it."""


class ApiOptions(VerifierOptions, total=False):
    """Keyword arguments of every adapter: those of a verifier, and of ProtectedApi those that every framework uses."""

    name: str | None
    scopes: Mapping[str, str] | None
    on_verdict: Callable[[str], None] | None
    clock: Clock


class ProtectedApi:
    """One API: the issuer of its tokens, its audience, its metadata and its verifiers."""

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
        **options: Unpack[VerifierOptions],
    ) -> None:
        """`audience` is the URL of this API in its tokens (RFC 8707). A URI of another scheme, such as `api://notes`,
        has no metadata document (RFC 9728). `name` and `scopes` (each with a description for users) are for the
        metadata and an OpenAPI document. Scopes that an endpoint requires need not be listed. The endpoints are for an
        OpenAPI document, too. They default to /authorize and /token of `issuer`.

        `on_verdict` is called with one of VERDICTS for each request that needs a token. `options`: see VerifierOptions.
        Raises ValueError as `Verifier` does.
        """
        self.verifier = Verifier(issuer, audience, clock=clock, **options)
        self.async_verifier: AsyncVerifier = self.verifier.as_async()
        """Both verifiers share their keys, status lists and cached verdicts."""
        self.issuer = issuer
        self.audience = audience
        self.name = name
        self.scopes = dict(scopes or {})
        """Descriptions by scope. `resource` adds the scopes of its requirement, without a description."""
        self.authorization_endpoint = authorization_endpoint or f"{issuer.rstrip('/')}/authorize"
        self.token_endpoint = token_endpoint or f"{issuer.rstrip('/')}/token"
        self.clock = clock
        self.on_verdict: Callable[[str], None] = on_verdict or (lambda _verdict: None)
        is_url = audience.startswith(("https:", "http:"))
        self.metadata_url = well_known(audience, "oauth-protected-resource") if is_url else None
        """The URL of the metadata document for the challenges, or None for an audience that is not a URL."""

    @property
    def metadata_path(self) -> str | None:
        """The path of `metadata_url`, from the root of the host (RFC 9728 §3.1)."""
        return None if self.metadata_url is None else urlsplit(self.metadata_url).path

    def metadata_document(self) -> dict[str, object]:
        """The issuer of tokens for this API, and the API's scopes (RFC 9728 §2)."""
        document: dict[str, object] = {
            "resource": self.audience,
            "authorization_servers": [self.issuer],
            "bearer_methods_supported": ["header"],
        }
        if self.scopes:  # an empty list must be left out
            document["scopes_supported"] = list(self.scopes)
        if self.name:
            document["resource_name"] = self.name
        return document

    def resource(self, requirement: Requirement) -> "ProtectedResource":
        """An endpoint, or a set of endpoints, with this requirement."""
        for scope in requirement.scopes:
            self.scopes.setdefault(scope, "")
        return ProtectedResource(self, requirement)

    @property
    def is_ready(self) -> bool:
        """As `Verifier.is_ready`."""
        return self.verifier.is_ready

    def health(self) -> IssuerHealth:
        """As `Verifier.health`."""
        return self.verifier.health()

    def close(self) -> None:
        """Stop fetching. A later request starts again."""
        self.verifier.close()

    async def aclose(self) -> None:
        """`close` without blocking the event loop."""
        await self.async_verifier.aclose()


class ProtectedResource:
    """An endpoint that needs an access token: its checks, its challenge, its log lines and its metrics.

    `check` and `check_async` are the whole way of a request. An adapter that authenticates and authorizes at different
    times calls `request.access_token()`, a verifier's `verify`, `accept` and, for an error of each, `refuse`.
    """

    def __init__(self, api: ProtectedApi, requirement: Requirement) -> None:
        self.requirement = requirement
        self._api = api

    def check(self, request: AccessTokenRequest) -> AccessTokenClaims | Refusal:
        """The claims of an accepted token, or the response to a refused request. Callable from any thread."""
        try:
            claims = self._api.verifier.verify(request.access_token())
            self.accept(request, claims)
        except (BearerError, TemporarilyUnavailable) as error:
            return self.refuse(error)
        return claims

    async def check_async(self, request: AccessTokenRequest) -> AccessTokenClaims | Refusal:
        """`check` without blocking the event loop."""
        try:
            claims = await self._api.async_verifier.verify(request.access_token())
            self.accept(request, claims)
        except (BearerError, TemporarilyUnavailable) as error:
            return self.refuse(error)
        return claims

    def accept(self, request: AccessTokenRequest, claims: AccessTokenClaims) -> None:
        """Accept a request whose token was verified. Raises as `AccessTokenRequest.authorize` does."""
        request.authorize(claims, self.requirement, now=self._api.clock())
        self._api.on_verdict("accepted")

    def refuse(self, error: BearerError | TemporarilyUnavailable) -> Refusal:
        """The response to a request that `access_token`, a verifier or `accept` refused."""
        if isinstance(error, TemporarilyUnavailable):
            verdict = "temporarily_unavailable"
            headers = {"Retry-After": str(error.retry_after)}
        else:
            verdict = error.reason if isinstance(error, InvalidToken) else error.error or "no_token"
            headers = {"WWW-Authenticate": challenge(error, self._api.metadata_url)}
            self._log(error)
        self._api.on_verdict(verdict)
        return Refusal(error.status, error.description, headers | {"Cache-Control": "no-store"})

    def _log(self, error: BearerError) -> None:
        """Log the reason, except that of an InvalidToken, which the verifier logs."""
        warnings = self._api.verifier.refusal_warnings
        if isinstance(error, InvalidToken) or not warnings.is_due(error.reason):
            return
        needed = {"needed_scope": error.scope} if isinstance(error, InsufficientScope) else {}
        warnings.write(error.reason, **needed)
