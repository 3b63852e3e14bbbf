"""`tallystick.toml`: read, compared with the store, and applied to it."""

from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from auth_service.authentication.users.password_rules import check_new_password, hash_new_password
from auth_service.authentication.users.passwords import Passwords
from auth_service.settings.declarations import DeclaredApi, DeclaredClient, DeclaredUser
from auth_service.settings.settings import Registration, Settings
from auth_service.store.configuration import reconciliation
from auth_service.store.configuration.reconciliation import Change, Conflict, Declaration, DisablesMost, Values
from auth_service.store.users.users import email_key
from tallystick.clock import Clock
from tallystick_service.settings import Misconfigured, read_settings, resolve_secret
from tallystick_service.store import Store

_SECRET_CHARACTERS = 32
"""At least. SHA-256 is enough to store a secret that nobody can guess, and only for such a one."""

T = TypeVar("T")


def read_config(file: Path) -> Settings:
    """The settings in `file`, overridden by `AUTH_…` in the environment. Raises Misconfigured."""
    settings = read_settings(Settings, file, env_prefix="AUTH_")
    initial_access_token(settings.registration)  # a weak one stops every command, as any other mistake does
    return settings


def initial_access_token(settings: Registration) -> str | None:
    """The one that was configured. Raises Misconfigured for one that could be guessed."""
    if settings.initial_access_token is None:
        return None
    try:
        token = resolve_secret(settings.initial_access_token)
    except Misconfigured as reason:
        raise Misconfigured(f"registration.initial_access_token: {reason}") from reason
    if len(token) < _SECRET_CHARACTERS:
        raise Misconfigured(f"registration.initial_access_token needs at least {_SECRET_CHARACTERS} characters")
    return token


async def plan(store: Store, settings: Settings) -> list[Change]:
    """What `apply` would change. Raises Misconfigured."""
    changes = await _refusing_conflicts(store.read(reconciliation.compare, _declaration(settings)))
    for user in _new_users(settings, changes).values():
        _check_password(user)
    return changes


async def refuses_to_disable(store: Store, settings: Settings) -> str | None:
    """Why `apply` would refuse unless it were allowed to disable most of what is declared, or None. One line."""
    try:
        await store.read(reconciliation.check_disabled, _declaration(settings))
    except DisablesMost as refusal:
        return str(refusal)
    return None


async def apply(store: Store, settings: Settings, clock: Clock, *, allow_disable: bool = False) -> list[Change]:
    """Make the store as declared, in one unit of work; twice is the same as once. Returns what changed.

    Raises Misconfigured, and has changed nothing then; also when it would disable more of what was declared before
    than it keeps, unless `allow_disable`: that is a sign of the wrong file or the wrong database.
    """
    declaration = _declaration(settings)
    planned = await _refusing_conflicts(store.read(reconciliation.compare, declaration))
    # A password acts at creation only, so only then it is looked up and hashed.
    hashes = {key: _password_hash(user) for key, user in _new_users(settings, planned).items()}
    apply_it = store.write(reconciliation.apply, declaration, hashes, allow_disable=allow_disable, now=clock())
    try:
        return await _refusing_conflicts(apply_it)
    except DisablesMost as refusal:
        raise Misconfigured(str(refusal)) from None


def _new_users(settings: Settings, changes: list[Change]) -> dict[str, DeclaredUser]:
    """By `email_key`: those that are not in the store yet."""
    new = {change.key for change in changes if (change.verb, change.kind) == ("create", "user")}
    return {key: user for user in settings.user if (key := email_key(user.email)) in new}


async def _refusing_conflicts(unit: Awaitable[T]) -> T:
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
        # The origins are rows of their own, in client_origins.
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
    if len(secret) < _SECRET_CHARACTERS or not (secret.isascii() and secret.isprintable()):
        raise Misconfigured(
            f"the client_secret of {client.client_id} needs at least {_SECRET_CHARACTERS} printable ASCII characters"
        )
    return sha256(secret.encode()).digest()


def _password_hash(user: DeclaredUser) -> str:
    """Raises Misconfigured."""
    return _declared_hash(user) if user.password is None else _of_password(user, hash_new_password)


def _check_password(user: DeclaredUser) -> None:
    """That `_password_hash` will succeed, without the time that a hash takes. Raises Misconfigured."""
    if user.password is None:
        _declared_hash(user)
    else:
        _of_password(user, check_new_password)


def _of_password(user: DeclaredUser, made_of_it: Callable[[str], str]) -> str:
    try:
        return made_of_it(resolve_secret(user.password or ""))
    except (Misconfigured, ValueError) as reason:
        raise Misconfigured(f"the password of {user.email}: {reason}") from None


def _declared_hash(user: DeclaredUser) -> str:
    try:
        password_hash = resolve_secret(user.password_hash or "")
    except Misconfigured as reason:
        raise Misconfigured(f"the password_hash of {user.email}: {reason}") from None
    if not Passwords.identify(password_hash):
        raise Misconfigured(f"the password_hash of {user.email} is of no form that passlib reads")
    return password_hash
