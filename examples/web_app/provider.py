"""The issuer, seen from a client. Everything that touches Authlib, which brings no types, is in this file."""

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

from examples.web_app.errors import SessionEnded, SignInFailed, Unreachable
from examples.web_app.sessions import AppSession, Tokens, User
from examples.web_app.settings import Settings
from tallystick.clock import Clock
from tallystick.request_id import send_request_id

log = logging.getLogger(__name__)

SCOPE = "openid profile email notes:read notes:write"
SIGN_IN_AGAIN = "The sign-in took too long, or was begun in another window. Please try once more."
OTHER_TABS = 2
"""Sign-ins under way besides the newest: all of them together fit into one cookie."""
KEYS_LAST, KEYS_WAIT = 300, 10
"""Seconds: how old the issuer's keys may become, and how long to wait before asking for a missing one again."""
KIND_WORDS = {
    "access_denied": "You chose not to let this app in. Nothing has changed.",
    "login_required": "Please sign in to go on.",
    "unmet_authentication_requirements": "The sign-in service cannot ask for the kind of login that this needs.",
    "temporarily_unavailable": "The sign-in service is busy. Please try again in a moment.",
}


class Provider:
    def __init__(self, settings: Settings, clock: Clock, transport: httpx2.AsyncBaseTransport | None) -> None:
        self._settings = settings
        self._clock = clock
        self._options = {
            "verify": ssl.create_default_context(),  # costs 20 ms, and Authlib opens a client for every call
            "trust_env": False,
            "timeout": 5.0,
            "transport": transport,
            "event_hooks": {"request": [send_request_id]},
        }
        self._fetching_keys = asyncio.Lock()
        self._keys_asked_at = 0
        self._keys_told_at = 0
        self._app: Any = OAuth().register(
            settings.client_id,
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            server_metadata_url=f"{settings.issuer}/.well-known/openid-configuration",
            client_kwargs={"scope": SCOPE, "code_challenge_method": "S256", **self._options},
        )

    async def authorization_redirect(self, request: Request, **parameters: str) -> Response:
        """To the issuer, with state, nonce and a PKCE challenge; their secrets wait in `request.session`.

        `parameters` are others of the authorization request (OIDC Core §3.1.2.1), or a `state` of one's own.
        """
        other_tabs = _take_sign_ins(request)
        with _answers():
            await self._metadata()
            redirect: Response = await self._app.authorize_redirect(request, self._settings.redirect_uri, **parameters)
            redirect.status_code = 303  # perhaps it follows a form
        # Authlib would forget them, and whoever goes on in another tab be told to start again.
        request.session.update(other_tabs[-OTHER_TABS:] + _take_sign_ins(request))
        return redirect

    async def redeem(self, request: Request) -> AppSession:
        """Trade the code of an authorization response for tokens, and learn who it is.

        Raises SignInFailed when the response or the ID Token is not what we asked for.
        """
        with _answers():
            self._check_issuer(request, await self._metadata())
            # Authlib compares only `iss` by itself; an ID Token for someone else may carry us in `azp`.
            claims = {"iss": {"value": self._settings.issuer}, "aud": {"value": self._settings.client_id}}
            try:
                answer = await self._app.authorize_access_token(request, claims_options=claims)
                sub, sid = answer["userinfo"]["sub"], answer["userinfo"].get("sid")
                # Without expires_at and refresh_token, or Authlib might refresh here and keep the new tokens to itself.
                bearer = {"access_token": answer["access_token"], "token_type": "Bearer"}
                userinfo = await self._app.userinfo(token=bearer)
            except (OAuthError, JoseError, KeyError) as refused:
                error = getattr(refused, "error", type(refused).__name__)
                log.info("sign-in refused: %s", error)
                raise SignInFailed(KIND_WORDS.get(error, SIGN_IN_AGAIN)) from refused
            if userinfo.get("sub") != sub:  # OIDC Core §5.3.2
                raise SignInFailed(SIGN_IN_AGAIN)
            email = userinfo.get("email", "")
            return AppSession(
                User(sub, userinfo.get("name") or email or sub, email),
                self._tokens(answer, id_token=answer["id_token"]),
                sid=sid if isinstance(sid, str) else None,
            )

    async def refresh(self, tokens: Tokens) -> Tokens:
        """Raises SessionEnded when the issuer has ended the token family, Unreachable when it cannot be asked."""
        if tokens.refresh_token is None:
            raise SessionEnded
        with _answers():
            endpoint = (await self._metadata())["token_endpoint"]
            async with self._client() as client:
                try:
                    answer = await client.refresh_token(endpoint, refresh_token=tokens.refresh_token)
                except OAuthError as refused:
                    if refused.error == "invalid_grant":
                        raise SessionEnded from refused
                    log.warning("refresh refused: %s", refused.error)
                    raise Unreachable("The sign-in service") from refused
            return self._tokens(answer, id_token=tokens.id_token)

    async def revoke(self, tokens: Tokens) -> None:
        """End the token family at the issuer (RFC 7009); either kind of token names it."""
        with _answers():
            endpoint = (await self._metadata())["revocation_endpoint"]
            async with self._client() as client:
                response = await client.revoke_token(endpoint, token=tokens.refresh_token or tokens.access_token)
                response.raise_for_status()

    async def logout_url(self, tokens: Tokens, *, state: str) -> str:
        """Where the browser goes to end the login itself (OpenID Connect RP-Initiated Logout §2)."""
        with _answers():
            await self._metadata()
            request = await self._app.create_logout_url(
                post_logout_redirect_uri=self._settings.post_logout_redirect_uri,
                id_token_hint=tokens.id_token,
                client_id=self._settings.client_id,
                state=state,
            )
        return str(request["url"])

    async def key_set(self, *, lacks_one: bool = False) -> KeySet:
        """The keys of the issuer, younger than KEYS_LAST; `lacks_one`: a token names one that is not among them.

        Strangers can bring tokens, so however many come, the issuer is asked at most once in KEYS_WAIT seconds. While
        it is away the last keys stay. Raises Unreachable when there are none, or when one is lacking and the issuer has
        not told them in this very second: it may have that key, and will try again.
        """
        held = self._app.server_metadata
        async with self._fetching_keys:
            if self._clock() >= self._keys_asked_at + (KEYS_WAIT if lacks_one or "jwks" not in held else KEYS_LAST):
                self._keys_asked_at = self._clock()
                with suppress(Unreachable), _answers():
                    await self._metadata()
                    await self._app.fetch_jwk_set(force=True)
                    self._keys_told_at = self._clock()
        if "jwks" not in held or (lacks_one and self._keys_told_at != self._clock()):
            raise Unreachable("The sign-in service")
        with _answers():
            return KeySet.import_key_set(held["jwks"])

    async def _metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = await self._app.load_server_metadata()
        if metadata.get("issuer") != self._settings.issuer:  # OIDC Discovery §4.3
            raise ValueError("the metadata names another issuer")
        return metadata

    def _check_issuer(self, request: Request, metadata: dict[str, Any]) -> None:
        """Was it our issuer that answered? Against mix-up attacks (RFC 9207 §2.4)."""
        named = request.query_params.getlist("iss")
        is_promised = metadata.get("authorization_response_iss_parameter_supported", False)
        if named != [self._settings.issuer] and (named or is_promised):
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


def _take_sign_ins(request: Request) -> list[tuple[str, Any]]:
    """What Authlib has put aside for each sign-in under way in this browser, the oldest first.

    Without the URL, of which nothing is needed any more, and which would not fit into a cookie three times.
    """
    taken = [(name, request.session.pop(name)) for name in list(request.session) if name.startswith("_state_")]
    for _, kept in taken:
        kept["data"].pop("url", None)
    return taken


@contextmanager
def _answers() -> Iterator[None]:
    """Whatever keeps the issuer from answering in its protocol is Unreachable to us.

    RuntimeError is Authlib's, for an endpoint that is not named; the others: what came is not what was promised.
    """
    try:
        yield
    except (httpx2.HTTPError, JoseError, ValueError, TypeError, KeyError, RuntimeError) as failed:
        log.warning("the issuer gave no usable answer: %r", failed)
        raise Unreachable("The sign-in service") from failed
