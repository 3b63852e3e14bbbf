"""Protect a Flask app in three lines.

auth = Tallystick(issuer="https://id.example.com", audience="https://api.example.com")
auth.init_app(app)

@app.get("/notes")
@auth.requires("notes:read")
def notes(): ...  # auth.claims has the verified claims
"""

import json
from collections.abc import Callable, Collection
from functools import wraps
from typing import ParamSpec, Unpack, cast

from flask import Flask, Response, current_app, g, jsonify, request
from flask.typing import ResponseReturnValue

from tallystick.access_token_request import PROBLEM_MEDIA_TYPE, AccessTokenRequest, Refusal, Requirement
from tallystick.claims import AccessTokenClaims
from tallystick.protected_api import METADATA_HEADERS, ApiOptions, ProtectedApi
from tallystick.remote.health import IssuerHealth

__all__ = ["Tallystick"]

P = ParamSpec("P")


class Tallystick:
    """One API: the issuer of its tokens, and its audience."""

    def __init__(self, issuer: str, audience: str, **options: Unpack[ApiOptions]) -> None:
        """The parameters are those of `ProtectedApi`, and `options` those of ApiOptions.

        Nothing is fetched before the first request, so the object may be made before a server forks. Raises ValueError
        for a URL that is neither https nor on loopback, and for an invalid number of seconds.
        """
        self.api = ProtectedApi(issuer, audience, **options)

    def init_app(self, app: Flask) -> None:
        """Serve the API's metadata (RFC 9728), to which the challenges refer. An audience that is no URL has none."""
        if self.api.metadata_path is not None:
            app.add_url_rule(self.api.metadata_path, "tallystick_metadata", self._metadata)

    def requires(
        self, *scopes: str, max_age: int | None = None, acr_values: Collection[str] = ()
    ) -> Callable[[Callable[P, ResponseReturnValue]], Callable[P, ResponseReturnValue]]:
        """A decorator for a view: the request's access token must have all of `scopes`.

        Without scopes, any token of the issuer for this audience is accepted. `max_age` requires a login at most this
        many seconds ago, and `acr_values` a login with any of these, the preferred one first (RFC 9470). A refused
        request gets problem details (RFC 9457) with a challenge (RFC 6750).

        Raises ValueError for an invalid scope or acr, and for a `max_age` below 1.
        """
        resource = self.api.resource(Requirement(scopes, max_age, acr_values))

        def decorate(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
            @wraps(view)
            def protected(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
                answer = resource.check(
                    AccessTokenRequest(
                        request.method, lambda: request.base_url, request.headers.getlist("Authorization")
                    )
                )
                if isinstance(answer, Refusal):
                    return _response(answer)
                g.tallystick_claims = answer
                return cast(ResponseReturnValue, current_app.ensure_sync(view)(*args, **kwargs))

            return protected

        return decorate

    @property
    def claims(self) -> AccessTokenClaims:
        """The claims of this request's access token. Raises RuntimeError in a view without `requires`."""
        claims: AccessTokenClaims | None = g.get("tallystick_claims")
        if claims is None:
            raise RuntimeError("this view has no verified access token: decorate it with `requires`")
        return claims

    @property
    def is_ready(self) -> bool:
        """Whether tokens can be accepted: there is a key, and the status lists are as recent as the policy requires."""
        return self.api.is_ready

    def health(self) -> IssuerHealth:
        """How recent the issuer's keys and status lists are at this moment."""
        return self.api.health()

    def close(self) -> None:
        """Stop fetching keys and status lists. A later request starts again."""
        self.api.close()

    def _metadata(self) -> Response:
        response = jsonify(self.api.metadata_document())
        response.headers.update(METADATA_HEADERS)
        return response


def _response(refusal: Refusal) -> Response:
    return Response(json.dumps(refusal.problem), refusal.status, refusal.headers, content_type=PROBLEM_MEDIA_TYPE)
