"""The forms of the service's pages: checked for origin, signature and age when the browser sends them back."""

from collections.abc import Iterator, Mapping
from typing import Annotated

from fastapi import Depends, Request

from auth_service.authentication.login_sessions import LoginSessions
from auth_service.client_metadata.redirect_uris import shown_target
from auth_service.clients.registry import ClientRegistry
from auth_service.endpoints.dependencies import IssuerUrl, LoginSessionsDep, RegistryDep, StateSignerDep
from auth_service.http.form import Form, parse_form, read_form
from auth_service.http.redirects import add_query
from auth_service.http.same_origin import is_same_origin
from auth_service.http.signed_state import BadSignature, SignedState, SignedStateExpired, StateSigner
from auth_service.pages.errors import CrossOriginForm, FormExpired, LoginEnded
from auth_service.store.users.login_sessions import LoginSession
from tallystick.errors import InvalidRequest


class InteractionForm(Mapping[str, str]):
    """The fields of a form that one of our pages showed. `state` is what the field `request` carried."""

    def __init__(self, form: Form, state: SignedState) -> None:
        self._form = form
        self.state = state

    def __getitem__(self, name: str) -> str:
        return self._form[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._form)

    def __len__(self) -> int:
        return len(self._form)


class InteractionForms:
    def __init__(
        self, state_signer: StateSigner, login_sessions: LoginSessions, registry: ClientRegistry, issuer: str
    ) -> None:
        self._state_signer = state_signer
        self._login_sessions = login_sessions
        self._registry = registry
        self._issuer = issuer

    async def read(self, request: Request, *, restart: str = "/authorize") -> InteractionForm:
        """The form in the request's body. `restart` is as in `verify_state`.

        Raises CrossOriginForm, FormExpired or InvalidRequest.
        """
        if not is_same_origin(request, self._issuer):
            raise CrossOriginForm
        form = await read_form(request)
        return InteractionForm(form, await self.verify_state(form.require("request"), restart=restart))

    async def verify_state(self, text: str, *, restart: str = "/authorize") -> SignedState:
        """The state that `text` carries. Raises FormExpired, or InvalidRequest for text that was not signed here.

        `restart` is the endpoint to which the query of an expired state is sent again. That is safe, because the query
        is only what a client sent to this endpoint before, and it is checked as if it had just arrived.
        """
        try:
            return self._state_signer.verify(text)
        except SignedStateExpired as expired:
            query = expired.state.query
            restart_url, unvetted_host = f"{restart}?{query}" if query else restart, None
            if restart == "/authorize":
                login_uri, unvetted_host = await self._initiate_login_uri(query)
                restart_url = login_uri or (restart_url if query else "/login")
            raise FormExpired(query, restart_url=restart_url, unvetted_host=unvetted_host) from None
        except BadSignature:
            raise InvalidRequest(reason="signed_state_invalid") from None

    async def require_session(
        self, request: Request, form: InteractionForm, *, purpose: str, subject: str
    ) -> LoginSession:
        """The login session that sent the form, if it is the one for which the form's page was made.

        `purpose` and `subject` are those of the page's CSRF token. Raises LoginEnded, or CrossOriginForm if the token
        is for another session, page or subject.
        """
        login_session = await self._login_sessions.find(self._login_sessions.cookie.read(request))
        if login_session is None:
            raise LoginEnded
        if not self._state_signer.check_csrf_token(form.get("csrf", ""), login_session.sid, purpose, subject):
            raise CrossOriginForm(reason="csrf_token_wrong")
        return login_session

    async def _initiate_login_uri(self, query: str) -> tuple[str | None, str | None]:
        """The URL at which the client of `query` starts a new login (OIDC Core §4), if it registered one.

        The second value is the host of the URL if the client registered itself.
        """
        client = await self._registry.client(parse_form(query).get("client_id", ""))
        if client is None or client.initiate_login_uri is None:
            return None, None
        uri = client.initiate_login_uri
        return add_query(uri, {"iss": self._issuer}), None if client.is_declared else shown_target(uri)


async def _interaction_forms(
    state_signer: StateSignerDep, login_sessions: LoginSessionsDep, registry: RegistryDep, issuer: IssuerUrl
) -> InteractionForms:
    return InteractionForms(state_signer, login_sessions, registry, issuer)


InteractionFormsDep = Annotated[InteractionForms, Depends(_interaction_forms)]
