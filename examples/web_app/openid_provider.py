"""The requests to the issuer. This is the only file that uses Authlib, which has no types."""

import asyncio
import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx2
from authlib.integrations.httpx_client import AsyncOAuth2Client  # type: ignore[import-untyped]
from authlib.integrations.starlette_client import OAuth, OAuthError  # type: ignore[import-untyped]
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.requests import Request
from starlette.responses import Response

from examples.web_app.errors import ServiceUnavailable, SessionEnded, SignInFailed
from examples.web_app.sessions import AppSession, Tokens, User
from examples.web_app.settings import Settings
from tallystick.clock import Clock
from tallystick.request_id import send_request_id

log = logging.getLogger(__name__)

SCOPE = "openid profile email notes:read notes:write"
SIGN_IN_AGAIN = "The sign-in took too long, or was begun in another window. Please try once more."
MAX_OTHER_SIGN_INS = 2
"""Unfinished sign-ins in other tabs that are kept besides the newest; the state of all three fits into one cookie."""
BACK_CHANNEL = {"token_endpoint", "userinfo_endpoint", "revocation_endpoint", "jwks_uri"}
"""Names of metadata: the addresses that this server calls, not the browser."""
KEYS_MAX_AGE, KEYS_COOLDOWN = 300, 10
"""Seconds after which the issuer's keys are fetched again, and the minimum between two fetches for an unknown kid."""
ERROR_MESSAGES = {
    "access_denied": "You chose not to let this app in. Nothing has changed.",
    "login_required": "Please sign in to go on.",
    "unmet_authentication_requirements": "The sign-in service cannot ask for the kind of login that this needs.",
    "temporarily_unavailable": "The sign-in service is busy. Please try again in a moment.",
}


class OpenIDProvider:
    """The issuer, an OpenID Provider. Its methods raise ServiceUnavailable when it does not answer as specified."""

    def __init__(self, settings: Settings, clock: Clock, transport: httpx2.AsyncBaseTransport | None) -> None:
        self._settings = settings
        self._clock = clock
        self._options = {
            "verify": ssl.create_default_context(),  # takes 20 ms, and Authlib creates a client for every call
            "trust_env": False,
            "timeout": 5.0,
            "transport": transport,
            "event_hooks": {"request": [send_request_id]},
        }
        self._keys_lock = asyncio.Lock()
        self._keys_requested_at = 0
        self._keys_received_at = 0
        self._app: Any = OAuth().register(
            settings.client_id,
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            server_metadata_url=settings.address(f"{settings.issuer}/.well-known/openid-configuration"),
            client_kwargs={"scope": SCOPE, "code_challenge_method": "S256", **self._options},
        )

    async def authorization_redirect(self, request: Request, **parameters: str) -> Response:
        """Redirect to the issuer, with state, nonce and a PKCE challenge, whose secrets are kept in `request.session`.

        `parameters` are further parameters of the authorization request (OIDC Core §3.1.2.1), or its `state`.
        """
        other_sign_ins = _pop_sign_ins(request)
        with _unavailable_on_error():
            await self._metadata()
            redirect: Response = await self._app.authorize_redirect(request, self._settings.redirect_uri, **parameters)
            redirect.status_code = 303  # the request may be a POST
        # Authlib keeps the newest sign-in only, so the sign-ins of other tabs would fail.
        request.session.update(other_sign_ins[-MAX_OTHER_SIGN_INS:] + _pop_sign_ins(request))
        return redirect

    async def redeem(self, request: Request) -> AppSession:
        """Redeem the code of an authorization response, and fetch the user's claims.

        Raises SignInFailed when the response is an error, or it or the ID Token is invalid.
        """
        with _unavailable_on_error():
            self._check_issuer(request, await self._metadata())
            # Without these options Authlib accepts an ID Token for another audience that names this client in `azp`.
            claims = {"iss": {"value": self._settings.issuer}, "aud": {"value": self._settings.client_id}}
            try:
                answer = await self._app.authorize_access_token(request, claims_options=claims)
                sub, sid = answer["userinfo"]["sub"], answer["userinfo"].get("sid")
                # Without expires_at and refresh_token, because Authlib could refresh here and discard the new tokens.
                bearer = {"access_token": answer["access_token"], "token_type": "Bearer"}
                userinfo = await self._app.userinfo(token=bearer)
            except (OAuthError, JoseError, KeyError) as error:
                code = getattr(error, "error", type(error).__name__)
                log.info("sign-in refused: %s", code)
                raise SignInFailed(ERROR_MESSAGES.get(code, SIGN_IN_AGAIN)) from error
            if userinfo.get("sub") != sub:  # OIDC Core §5.3.2
                raise SignInFailed(SIGN_IN_AGAIN)
            email = userinfo.get("email", "")
            return AppSession(
                User(sub, userinfo.get("name") or email or sub, email),
                self._tokens(answer, id_token=answer["id_token"]),
                sid=sid if isinstance(sid, str) else None,
            )

    async def refresh(self, tokens: Tokens) -> Tokens:
        """Raises SessionEnded when the issuer has revoked the token family."""
        if tokens.refresh_token is None:
            raise SessionEnded
        with _unavailable_on_error():
            endpoint = (await self._metadata())["token_endpoint"]
            async with self._client() as client:
                try:
                    answer = await client.refresh_token(endpoint, refresh_token=tokens.refresh_token)
                except OAuthError as error:
                    if error.error == "invalid_grant":
                        raise SessionEnded from error
                    log.warning("refresh refused: %s", error.error)
                    raise ServiceUnavailable("The sign-in service") from error
            return self._tokens(answer, id_token=tokens.id_token)

    async def revoke(self, tokens: Tokens) -> None:
        """Revoke the token family (RFC 7009)."""
        with _unavailable_on_error():
            endpoint = (await self._metadata())["revocation_endpoint"]
            async with self._client() as client:
                response = await client.revoke_token(endpoint, token=tokens.refresh_token or tokens.access_token)
                response.raise_for_status()

    async def logout_url(self, tokens: Tokens, *, state: str) -> str:
        """Return the URL where the browser ends the login session (OpenID Connect RP-Initiated Logout §2)."""
        with _unavailable_on_error():
            await self._metadata()
            request = await self._app.create_logout_url(
                post_logout_redirect_uri=self._settings.post_logout_redirect_uri,
                id_token_hint=tokens.id_token,
                client_id=self._settings.client_id,
                state=state,
            )
        return str(request["url"])

    async def key_set(self, *, has_unknown_kid: bool = False) -> KeySet:
        """Return the keys of the issuer, fetched at most KEYS_MAX_AGE seconds ago.

        `has_unknown_kid`: a token names a key that is not among them. Anybody can send such tokens, so they cause at
        most one fetch in KEYS_COOLDOWN seconds. While the issuer is unavailable the last keys are returned. Raises
        ServiceUnavailable when there are no keys, or when a key is unknown and the keys were not fetched in this
        second: the issuer may have the key by now, and sends the token again.
        """
        metadata = self._app.server_metadata
        async with self._keys_lock:
            if self._clock() >= self._keys_requested_at + (
                KEYS_COOLDOWN if has_unknown_kid or "jwks" not in metadata else KEYS_MAX_AGE
            ):
                self._keys_requested_at = self._clock()
                with suppress(ServiceUnavailable), _unavailable_on_error():
                    await self._metadata()
                    await self._app.fetch_jwk_set(force=True)
                    self._keys_received_at = self._clock()
        if "jwks" not in metadata or (has_unknown_kid and self._keys_received_at != self._clock()):
            raise ServiceUnavailable("The sign-in service")
        with _unavailable_on_error():
            return KeySet.import_key_set(metadata["jwks"])

    async def _metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = await self._app.load_server_metadata()
        if metadata.get("issuer") != self._settings.issuer:  # OIDC Discovery §4.3
            raise ValueError("the metadata is of another issuer")
        for name in BACK_CHANNEL & metadata.keys():  # Authlib keeps the changed addresses, and uses them
            metadata[name] = self._settings.address(metadata[name])
        return metadata

    def _check_issuer(self, request: Request, metadata: dict[str, Any]) -> None:
        """Raises SignInFailed when another issuer sent the response: a mix-up attack (RFC 9207 §2.4)."""
        issuers = request.query_params.getlist("iss")
        is_required = metadata.get("authorization_response_iss_parameter_supported", False)
        if issuers != [self._settings.issuer] and (issuers or is_required):
            raise SignInFailed(SIGN_IN_AGAIN)

    def _tokens(self, answer: Any, *, id_token: str) -> Tokens:
        return Tokens(
            access_token=answer["access_token"],
            expires_at=self._clock() + int(answer["expires_in"]),
            refresh_token=answer.get("refresh_token"),
            id_token=id_token,
        )

    def _client(self) -> Any:
        return AsyncOAuth2Client(self._settings.client_id, self._settings.client_secret, **self._options)


def _pop_sign_ins(request: Request) -> list[tuple[str, Any]]:
    """Remove Authlib's state of each unfinished sign-in from the session; return it, the oldest first.

    The URL is left out: nothing reads it again, and three of them do not fit into a cookie.
    """
    sign_ins = [(name, request.session.pop(name)) for name in list(request.session) if name.startswith("_state_")]
    for _, state in sign_ins:
        state["data"].pop("url", None)
    return sign_ins


@contextmanager
def _unavailable_on_error() -> Iterator[None]:
    """Turn failed requests and invalid responses into ServiceUnavailable.

    Authlib raises RuntimeError when the metadata lacks an endpoint.
    """
    try:
        yield
    except (httpx2.HTTPError, JoseError, ValueError, TypeError, KeyError, RuntimeError) as error:
        log.warning("the issuer sent no valid response: %r", error)
        raise ServiceUnavailable("The sign-in service") from error
