"""What the auth service is told before it starts: `tallystick.toml` and the environment, frozen and checked.

The names are the contract's. A mistake stops the start with one line; nothing here has a default that is a secret.
"""

import ipaddress
import re
import ssl
from collections import Counter
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from auth_service.client_metadata.redirect_uris import check_private_use_scheme, check_web_url
from auth_service.settings.declarations import DeclaredApi, DeclaredClient, DeclaredUser
from auth_service.vocabulary.scopes import OIDC_SCOPES
from auth_service.vocabulary.timing import MIN_SIGNING_KEY_AHEAD
from tallystick.clock import LEEWAY
from tallystick.urls import is_loopback
from tallystick_service.settings.database_url import DatabaseTimeout, DatabaseUrl
from tallystick_service.store import DEADLINE
from tallystick_service.urls import check_origin, to_ascii, without_root_path


def _issuer(value: str) -> str:
    """An origin: https, or http on loopback; compared byte for byte ever after (RFC 8414 §2, RFC 9700 §4.1)."""
    try:
        url = urlsplit(value)
        host, _ = url.hostname or "", url.port
    except ValueError:
        raise ValueError("is not a URL") from None
    if url.scheme not in ("https", "http") or not host:
        raise ValueError("must be an https URL")
    if not value.isascii():  # a form of ours has the xn-- form in its Origin header, which is compared byte for byte
        raise ValueError(f"must be written as browsers send it: {to_ascii(value)}")
    if url.scheme == "http" and not is_loopback(host):
        raise ValueError("must be https, because plain http is for loopback only")
    if value != f"{url.scheme}://{url.netloc}" or url.username is not None or value != value.lower():
        raise ValueError("must be an origin in lower case: no path, query, fragment, user or trailing slash")
    return check_web_url(value)  # any other spelling of the host never equals what a browser sends


def _network(value: str) -> str:
    ipaddress.ip_network(value)
    return value


_HOST = re.compile(r"(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")


def _host(value: str) -> str:
    """Compared byte for byte with the host of a URL, so it is written as that is."""
    match = _HOST.fullmatch(value)
    if match is None or not 0 < int(match[1] or 1) < 65536:
        raise ValueError("must be a host in lower case, or host:port; an IPv6 address stands in brackets")
    return value


def _ca_file(value: str) -> str:
    if value:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cafile=value)
        except ssl.SSLError:
            raise ValueError("holds no certificate in PEM") from None
        except OSError as error:
            raise ValueError(f"cannot be read: {error.strerror}") from None
        if not context.cert_store_stats()["x509"]:
            raise ValueError("holds no certificate in PEM")
    return value


MAX_TOKEN_LIFETIME = 86_400
"""Seconds that an access token or ID Token may live at most."""

Issuer = Annotated[str, AfterValidator(_issuer)]
Seconds = Annotated[int, Field(ge=1, le=10 * 365 * 86400)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Lifetimes(_Frozen):
    """All in seconds."""

    access_token: Annotated[int, Field(ge=1, le=MAX_TOKEN_LIFETIME)] = 300
    code: Annotated[int, Field(ge=1, le=600)] = 60
    refresh_token: Seconds = 1_209_600
    refresh_token_family: Seconds = 7_776_000
    refresh_token_grace: Annotated[int, Field(ge=0, le=3600)] = 60
    refresh_token_grace_public: Annotated[int, Field(ge=0, le=3600)] = 10
    """For public clients, whose refresh token is all that a thief needs; never longer than `refresh_token_grace`."""
    id_token: Annotated[int, Field(ge=1, le=MAX_TOKEN_LIFETIME)] = 300
    login_session_idle: Seconds = 28_800
    login_session_absolute: Seconds = 2_592_000
    signing_key: Annotated[int, Field(ge=0, le=10 * 365 * 86400)] = 7_776_000
    """Seconds for which a key signs before its successor takes over; 0: until somebody commands it."""
    signing_key_ahead: Annotated[int, Field(ge=MIN_SIGNING_KEY_AHEAD, le=86400)] = 60

    def grace_of(self, *, is_public: bool) -> int:
        """How long after a rotation the refresh token that was spent gets the same answer again."""
        return min(self.refresh_token_grace, self.refresh_token_grace_public) if is_public else self.refresh_token_grace

    @property
    def signing_key_after(self) -> int:
        """How long a key stays published after its last signature: as long as anybody may believe what it signed."""
        return max(self.access_token, self.id_token) + LEEWAY

    @property
    def signing_key_remembered(self) -> int:
        """How long a retired key checks hints: as long as there may be a login or a token family that it served."""
        return max(self.login_session_absolute, self.refresh_token_family)

    @property
    def status_list(self) -> int:
        """How long a status list may be believed: as long as any access token that was issued before it lives."""
        return self.access_token + LEEWAY

    @model_validator(mode="after")
    def _keys_outlast_their_announcement(self) -> Self:
        if 0 < self.signing_key <= self.signing_key_ahead:
            raise ValueError("signing_key must be 0, or longer than signing_key_ahead")
        return self


class Registration(_Frozen):
    mode: Literal["off", "token", "open"] = "token"
    initial_access_token: str | None = None
    require_pkce: bool = True
    max_clients: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Clients that registered themselves and are not disabled. At that number, unused ones make room for new ones."""
    private_use_schemes: list[Annotated[str, AfterValidator(check_private_use_scheme)]] = []
    """Schemes without a dot, such as `cursor`, in which clients that register themselves may be called back."""
    trusted_redirect_origins: list[Annotated[str, AfterValidator(check_origin)]] = []
    """Origins to which browsers are redirected for any client, also before a user has allowed it anything."""


class Outgoing(_Frozen):
    """For requests to addresses that clients gave us. `allow_hosts`: `host` for all its ports, or `host:port`."""

    allow_hosts: list[Annotated[str, AfterValidator(_host)]] = []
    ca_file: Annotated[str, AfterValidator(_ca_file)] = ""

    def allows(self, host: str, port: int) -> bool:
        """Whether `host`, in lower case and an IPv6 address in brackets, is an exception to "public addresses only"."""
        return host in self.allow_hosts or f"{host}:{port}" in self.allow_hosts


class Audit(_Frozen):
    """`retention` is in seconds; with 0 nothing is written down."""

    retention: Annotated[int, Field(ge=0, le=10 * 365 * 86400)] = 7_776_000


class Settings(_Frozen):
    issuer: Issuer
    database_url: DatabaseUrl  # no default: a small file tried in the wrong folder would change another service's store
    database_timeout: DatabaseTimeout = DEADLINE
    master_key: str = "file:var/master.key"
    trusted_proxies: list[Annotated[str, AfterValidator(_network)]] = []
    lifetimes: Lifetimes = Lifetimes()
    registration: Registration = Registration()
    outgoing: Outgoing = Outgoing()
    audit: Audit = Audit()
    api: list[DeclaredApi] = []
    client: list[DeclaredClient] = []
    user: list[DeclaredUser] = []

    @property
    def is_https(self) -> bool:
        return self.issuer.startswith("https://")

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for kind, names in (
            ("api audience", [without_root_path(api.audience) for api in self.api]),
            ("client_id", [client.client_id for client in self.client]),
            ("user email", [user.email.casefold() for user in self.user]),
            ("scope", [scope for api in self.api for scope in api.scopes]),
        ):
            if twice := sorted(name for name, count in Counter(names).items() if count > 1):
                raise ValueError(f"the {kind} {twice[0]!r} is declared twice")
        if self.issuer in (without_root_path(api.audience) for api in self.api):
            raise ValueError("the issuer cannot be an api's audience: it is the audience of tokens for userinfo alone")
        return self

    @model_validator(mode="after")
    def _scopes_are_owned(self) -> Self:
        owned = {scope for api in self.api for scope in api.scopes} | OIDC_SCOPES
        for client in self.client:
            if unknown := [scope for scope in client.scope.split() if scope not in owned]:
                raise ValueError(f"client {client.client_id!r} names the scope {unknown[0]!r}, which no [[api]] owns")
        return self
