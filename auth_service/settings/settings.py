"""The settings of the auth service, from `tallystick.toml` and the environment.

An invalid setting stops the start with one line. No secret has a default.
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
    """An origin: https, or http on loopback. Issuers are compared byte for byte (RFC 8414 §2, RFC 9700 §4.1)."""
    try:
        url = urlsplit(value)
        host, _ = url.hostname or "", url.port
    except ValueError:
        raise ValueError("is not a URL") from None
    if url.scheme not in ("https", "http") or not host:
        raise ValueError("must be an https URL")
    if not value.isascii():  # the Origin header of our own forms has the xn-- form
        raise ValueError(f"must be written as browsers send it: {to_ascii(value)}")
    if url.scheme == "http" and not is_loopback(host):
        raise ValueError("must be https, because plain http is for loopback only")
    if value != f"{url.scheme}://{url.netloc}" or url.username is not None or value != value.lower():
        raise ValueError("must be an origin in lower case: no path, query, fragment, user or trailing slash")
    return check_web_url(value)  # a browser sends no other spelling of the host


def _network(value: str) -> str:
    ipaddress.ip_network(value)
    return value


_HOST = re.compile(r"(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")


def _host(value: str) -> str:
    """Must be spelled like the host of a URL, with which it is compared byte for byte."""
    match = _HOST.fullmatch(value)
    if match is None or not 0 < int(match[1] or 1) < 65536:
        raise ValueError("must be a host in lower case, or host:port, with an IPv6 address in brackets")
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
"""Seconds: the longest lifetime of an access token or ID Token that can be configured."""

Issuer = Annotated[str, AfterValidator(_issuer)]
Seconds = Annotated[int, Field(ge=1, le=10 * 365 * 86400)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Lifetimes(_Frozen):
    """In seconds."""

    access_token: Annotated[int, Field(ge=1, le=MAX_TOKEN_LIFETIME)] = 300
    code: Annotated[int, Field(ge=1, le=600)] = 60
    refresh_token: Seconds = 1_209_600
    refresh_token_family: Seconds = 7_776_000
    refresh_token_grace: Annotated[int, Field(ge=0, le=3600)] = 60
    refresh_token_grace_public: Annotated[int, Field(ge=0, le=3600)] = 10
    """For public clients, whose stolen refresh tokens can be used without a secret. `refresh_token_grace` bounds it."""
    id_token: Annotated[int, Field(ge=1, le=MAX_TOKEN_LIFETIME)] = 300
    login_session_idle: Seconds = 28_800
    login_session_absolute: Seconds = 2_592_000
    signing_key: Annotated[int, Field(ge=0, le=10 * 365 * 86400)] = 7_776_000
    """How long a key signs before its successor does. With 0 only a command rotates keys."""
    signing_key_ahead: Annotated[int, Field(ge=MIN_SIGNING_KEY_AHEAD, le=86400)] = 60

    def grace_of(self, *, is_public: bool) -> int:
        """How long after a rotation the replaced refresh token gets the same response again."""
        return min(self.refresh_token_grace, self.refresh_token_grace_public) if is_public else self.refresh_token_grace

    @property
    def signing_key_after(self) -> int:
        """How long a key stays published after its last signature: until the last token that it signed is invalid."""
        return max(self.access_token, self.id_token) + LEEWAY

    @property
    def signing_key_remembered(self) -> int:
        """How long a retired key verifies hints: the longest lifetime of a login session or token family."""
        return max(self.login_session_absolute, self.refresh_token_family)

    @property
    def status_list(self) -> int:
        """The lifetime of a status list: until the last access token that was issued before it is invalid."""
        return self.access_token + LEEWAY

    @model_validator(mode="after")
    def _check_signing_key(self) -> Self:
        if 0 < self.signing_key <= self.signing_key_ahead:
            raise ValueError("signing_key must be 0, or longer than signing_key_ahead")
        return self


class RegistrationSettings(_Frozen):
    mode: Literal["off", "token", "open"] = "token"
    initial_access_token: str | None = None
    require_pkce: bool = True
    max_clients: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Self-registered clients that are not disabled. At this number, a new one replaces an unused one."""
    private_use_schemes: list[Annotated[str, AfterValidator(check_private_use_scheme)]] = []
    """Schemes without a dot, such as `cursor`, that self-registered clients may use in redirect URIs."""
    trusted_redirect_origins: list[Annotated[str, AfterValidator(check_origin)]] = []
    """Origins to which browsers are redirected without a page in between, also for a client of unknown trust."""


class Outgoing(_Frozen):
    """For requests to URLs that clients registered. `allow_hosts` are `host`, for all its ports, or `host:port`."""

    allow_hosts: list[Annotated[str, AfterValidator(_host)]] = []
    ca_file: Annotated[str, AfterValidator(_ca_file)] = ""

    def allows(self, host: str, port: int) -> bool:
        """Whether `host` may have an address that is not public. It is in lower case, an IPv6 address in brackets."""
        return host in self.allow_hosts or f"{host}:{port}" in self.allow_hosts


class Audit(_Frozen):
    """`retention` is in seconds. With 0 no row is written."""

    retention: Annotated[int, Field(ge=0, le=10 * 365 * 86400)] = 7_776_000


class Settings(_Frozen):
    issuer: Issuer
    database_url: DatabaseUrl  # without a default, which could be the store of another service
    database_timeout: DatabaseTimeout = DEADLINE
    master_key: str = "file:var/master.key"
    trusted_proxies: list[Annotated[str, AfterValidator(_network)]] = []
    lifetimes: Lifetimes = Lifetimes()
    registration: RegistrationSettings = RegistrationSettings()
    outgoing: Outgoing = Outgoing()
    audit: Audit = Audit()
    api: list[DeclaredApi] = []
    client: list[DeclaredClient] = []
    user: list[DeclaredUser] = []

    @property
    def is_https(self) -> bool:
        return self.issuer.startswith("https://")

    @model_validator(mode="after")
    def _check_names(self) -> Self:
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
    def _check_client_scopes(self) -> Self:
        owned = {scope for api in self.api for scope in api.scopes} | OIDC_SCOPES
        for client in self.client:
            if unknown := [scope for scope in client.scope.split() if scope not in owned]:
                raise ValueError(f"client {client.client_id!r} names the scope {unknown[0]!r}, which no [[api]] owns")
        return self
