"""The configuration file `tallystick.toml`: read it, plan the changes to the store, and apply them."""

from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from auth_service.authentication.users.password_rules import check_new_password, hash_new_password
from auth_service.authentication.users.passwords import Passwords
from auth_service.settings.declarations import DeclaredApi, DeclaredClient, DeclaredUser
from auth_service.settings.settings import RegistrationSettings, Settings
from auth_service.store.configuration import reconciliation
from auth_service.store.configuration.reconciliation import Change, Conflict, Declaration, DisablesMost, Values
from auth_service.store.users.users import email_key
from tallystick.clock import Clock
from tallystick_service.settings import Misconfigured, read_settings, resolve_secret
from tallystick_service.store import Store

_MIN_SECRET_LENGTH = 32
"""A secret is stored as its SHA-256, which is safe only for a secret that cannot be guessed."""

T = TypeVar("T")


def read_config(file: Path) -> Settings:
    """The settings in `file`, overridden by `AUTH_…` in the environment. Raises Misconfigured."""
    settings = read_settings(Settings, file, env_prefix="AUTH_")
    initial_access_token(settings.registration)  # so that a weak one stops every command
    return settings


def initial_access_token(settings: RegistrationSettings) -> str | None:
    """The configured token, or None. Raises Misconfigured when it is too short."""
    if settings.initial_access_token is None:
        return None
    try:
        token = resolve_secret(settings.initial_access_token)
    except Misconfigured as reason:
        raise Misconfigured(f"registration.initial_access_token: {reason}") from reason
    if len(token) < _MIN_SECRET_LENGTH:
        raise Misconfigured(f"registration.initial_access_token needs at least {_MIN_SECRET_LENGTH} characters")
    return token


async def plan(store: Store, settings: Settings) -> list[Change]:
    """The changes that `apply` would make. Raises Misconfigured."""
    changes = await _reporting_conflicts(store.read(reconciliation.compare, _declaration(settings)))
    for user in _new_users(settings, changes).values():
        _check_password(user)
    return changes


async def refusal_to_disable(store: Store, settings: Settings) -> str | None:
    """One line with the reason why `apply` without `allow_disable` would refuse to disable rows, or None."""
    try:
        await store.read(reconciliation.check_disabled, _declaration(settings))
    except DisablesMost as refusal:
        return str(refusal)
    return None


async def apply(store: Store, settings: Settings, clock: Clock, *, allow_disable: bool = False) -> list[Change]:
    """Make the store as declared, in one unit of work, and return the changes. A second call changes nothing.

    Raises Misconfigured and changes nothing when the declaration is invalid. Without `allow_disable` also when it would
    disable more rows than it keeps, because then the file or the database is probably the wrong one.
    """
    declaration = _declaration(settings)
    planned = await _reporting_conflicts(store.read(reconciliation.compare, declaration))
    # A password has an effect at creation only, so only that of a new user is read and hashed.
    hashes = {key: _password_hash(user) for key, user in _new_users(settings, planned).items()}
    unit = store.write(reconciliation.apply, declaration, hashes, allow_disable=allow_disable, now=clock())
    try:
        return await _reporting_conflicts(unit)
    except DisablesMost as refusal:
        raise Misconfigured(str(refusal)) from None


def _new_users(settings: Settings, changes: list[Change]) -> dict[str, DeclaredUser]:
    """The users that are not in the store yet, by `email_key`."""
    new = {change.key for change in changes if (change.verb, change.kind) == ("create", "user")}
    return {key: user for user in settings.user if (key := email_key(user.email)) in new}


async def _reporting_conflicts(unit: Awaitable[T]) -> T:
    try:
        return await unit
    except Conflict as conflict:
        raise Misconfigured(str(conflict)) from None


def _declaration(settings: Settings) -> Declaration:
    return Declaration(
        apis={api.audience: _api(api) for api in settings.api},
        clients={client.client_id: _client(client) for client in settings.client},
        users=_users(settings),
        origins={client.client_id: client.web_origins for client in settings.client},
    )


def _users(settings: Settings) -> dict[str, Values]:
    users: dict[str, Values] = {}
    for user in settings.user:
        if users.setdefault(email_key(user.email), values := _user(user)) is not values:
            raise Misconfigured(f"the user {user.email!r} is declared twice, in two spellings")
    return users


def _api(api: DeclaredApi) -> Values:
    return api.model_dump(exclude={"audience"})


def _client(client: DeclaredClient) -> Values:
    return {
        "secret_hash": _secret_hash(client),
        # The origins have rows of their own, in client_origins.
        "metadata": client.model_dump(exclude={"client_id", "client_secret", "allowed_origins"}),
    }


def _user(user: DeclaredUser) -> Values:
    return {"email": user.email, "roles": user.roles, "claims": user.claims}


def _secret_hash(client: DeclaredClient) -> bytes | None:
    if client.client_secret is None:
        return None
    try:
        secret = resolve_secret(client.client_secret)
    except Misconfigured as reason:
        raise Misconfigured(f"the client_secret of {client.client_id}: {reason}") from reason
    if len(secret) < _MIN_SECRET_LENGTH or not (secret.isascii() and secret.isprintable()):
        raise Misconfigured(
            f"the client_secret of {client.client_id} needs at least {_MIN_SECRET_LENGTH} printable ASCII characters"
        )
    return sha256(secret.encode()).digest()


def _password_hash(user: DeclaredUser) -> str:
    """Raises Misconfigured."""
    return _declared_hash(user) if user.password is None else _use_password(user, hash_new_password)


def _check_password(user: DeclaredUser) -> None:
    """Check that `_password_hash` will succeed, without hashing. Raises Misconfigured."""
    if user.password is None:
        _declared_hash(user)
    else:
        _use_password(user, check_new_password)


def _use_password(user: DeclaredUser, function: Callable[[str], str]) -> str:
    try:
        return function(resolve_secret(user.password or ""))
    except (Misconfigured, ValueError) as reason:
        raise Misconfigured(f"the password of {user.email}: {reason}") from None


def _declared_hash(user: DeclaredUser) -> str:
    try:
        password_hash = resolve_secret(user.password_hash or "")
    except Misconfigured as reason:
        raise Misconfigured(f"the password_hash of {user.email}: {reason}") from None
    if not Passwords.identify(password_hash):
        raise Misconfigured(f"the password_hash of {user.email} is in no format that passlib reads")
    return password_hash
