"""Forms of our own pages: from our origin, sealed by us, and in time."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlencode

from fastapi import Request

from auth_service.client_metadata.redirect_uris import shown_target
from auth_service.composition import Provider
from auth_service.http.form import Form, parse_form, read_form
from auth_service.http.signed_state import BadSignature, SignedState, SignedStateExpired
from auth_service.pages.errors import CrossOriginForm, FormExpired, LoginEnded, MalformedRequest
from auth_service.store.users.login_sessions import LoginSession
from tallystick.errors import InvalidRequest


class InteractionForm(Mapping[str, str]):
    """The fields of a form that one of our pages showed, and what was sealed into it."""

    def __init__(self, form: Form, sealed: SignedState) -> None:
        self._form = form
        self.sealed = sealed

    def __getitem__(self, name: str) -> str:
        return self._form[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._form)

    def __len__(self) -> int:
        return len(self._form)


async def read_interaction_form(
    request: Request, provider: Provider, *, restart: str = "/authorize"
) -> InteractionForm:
    """Raises CrossOriginForm, FormExpired or MalformedRequest, which are pages. `restart` as for `open_sealed`.

    The Origin header is the guard against forms from elsewhere: every browser sends it with a POST, and no script of
    another site can choose it.
    """
    if not provider.state_signer.is_our_origin(request):
        raise CrossOriginForm
    try:
        form = await read_form(request)
        return InteractionForm(form, await open_sealed(form.require("request"), provider, restart=restart))
    except InvalidRequest as refusal:
        raise MalformedRequest(reason=refusal.reason) from None


async def open_sealed(text: str, provider: Provider, *, restart: str = "/authorize") -> SignedState:
    """Raises FormExpired, or MalformedRequest for what we did not seal.

    `restart` is the endpoint that answers the sealed query. To send it there again is safe: the query is only what a
    client sent to that endpoint before, and it is judged as if it had just come.
    """
    try:
        return provider.state_signer.verify(text)
    except SignedStateExpired as expired:
        query = expired.sealed.query
        again, unchecked_target = f"{restart}?{query}" if query else restart, None
        if restart == "/authorize":
            uri, unchecked_target = await _where_to_begin(query, provider)
            again = uri or (again if query else "/login")
        raise FormExpired(query, again=again, unchecked_target=unchecked_target) from None
    except BadSignature:
        raise MalformedRequest(reason="signed_state_invalid") from None


async def require_form_session(
    request: Request, form: InteractionForm, provider: Provider, *, purpose: str, subject: str
) -> LoginSession:
    """The login session that sent the form, which the page about `subject` was shown to.

    Raises LoginEnded, or CrossOriginForm when that page was about something else.
    """
    login_session = await provider.login_sessions.current(request)
    if login_session is None:
        raise LoginEnded
    if not provider.state_signer.check_csrf_token(form.get("csrf", ""), login_session.sid, purpose, subject):
        raise CrossOriginForm(reason="csrf_token_wrong")
    return login_session


async def _where_to_begin(query: str, provider: Provider) -> tuple[str | None, str | None]:
    """The client's initiate_login_uri, from which it sends the user to us anew (OIDC Core §4), if it has one.

    And the host of that URI when the client registered itself.
    """
    client = await provider.registry.client(parse_form(query).get("client_id", ""))
    if client is None or client.initiate_login_uri is None:
        return None, None
    uri = client.initiate_login_uri
    again = f"{uri}{'&' if '?' in uri else '?'}{urlencode({'iss': provider.issuer})}"
    return again, None if client.is_declared else shown_target(uri)
