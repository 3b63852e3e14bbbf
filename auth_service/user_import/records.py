"""The user that a row describes: of Django's `dumpdata`, or with the field names of `[[user]]`."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError

from auth_service.authentication.users.passwords import Passwords
from auth_service.client_metadata.metadata import Name
from auth_service.settings.declarations import STANDARD_CLAIMS, UserProfile
from auth_service.store.users.user_imports import NewUser
from auth_service.store.users.users import email_key
from auth_service.user_import.rows import Row, Unreadable
from auth_service.vocabulary.password_costs import cost_of, imported_cost_of

FIELDS = STANDARD_CLAIMS | {"email", "roles", "password_hash", "sub", "id", "disabled"}
_MAX_HASH_CHARACTERS = 1024
_MAX_GROUPS = 10_000
_MAX_ROLES = 100
_WEAK_FORMATS = ("md5$", "sha1$", "unsalted_md5$", "unsalted_sha1$", "crypt$", "$1$", "{SSHA}", "{SHA}")
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_BOOLEANS = ("disabled", "email_verified", "phone_number_verified")


class _ImportedUser(UserProfile):
    roles: list[Name] = Field(default=[], max_length=_MAX_ROLES)
    password_hash: str | None = Field(default=None, repr=False)
    # OIDC Core §2: at most 255 ASCII characters.
    sub: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}\z")] | None = None
    id: Name | None = None
    disabled: bool = False


@dataclass(frozen=True)
class Record:
    """A row that can be imported. `old_id` is its identifier in the other system, if it has one."""

    number: int
    old_id: str | None
    user: NewUser


@dataclass(frozen=True)
class Refused:
    """`reason` has nothing of the row's content but the names of fields."""

    number: int
    old_id: str | None
    reason: str


class _Refusal(Exception):
    """`str()` is the reason."""


@dataclass
class RecordReader:
    """`model`: the Django model with the users, such as `accounts.user`; None: the first model that has `password` and
    `email_field`. `ignored`: fields that are left out where the row is not Django's. `keep_ids`: a primary key becomes
    the `sub`. `staff_role` and `superuser_role`: roles for Django's `is_staff` and `is_superuser`.
    """

    model: str | None = None
    email_field: str = "email"
    ignored: Collection[str] = ()
    keep_ids: bool = False
    staff_role: str | None = None
    superuser_role: str | None = None
    _groups: dict[str, str] = field(default_factory=dict, init=False)

    def read(self, row: Row) -> Record | Refused | None:
        """None for a row that describes something else than a user."""
        if row.values is None:
            return Refused(row.number, None, row.reason)
        old_id: str | None = None
        try:
            model, fields = row.values.get("model"), row.values.get("fields")
            if isinstance(model, str) and isinstance(fields, dict):
                values = self._django(model.lower(), row.values.get("pk"), fields)
                if values is None:
                    return None
            else:
                values = self._plain(row.values)
            old_id = _old_id(values.get("id"))
            values |= {"id": old_id}
            if self.keep_ids and old_id is not None:
                values.setdefault("sub", old_id)
            return Record(row.number, old_id, _new_user(values))
        except _Refusal as refusal:
            return Refused(row.number, old_id, str(refusal))

    def _plain(self, values: Mapping[str, object]) -> dict[str, object]:
        unknown = values.keys() - FIELDS - set(self.ignored)
        if "password" in unknown:
            raise _Refusal("has a field password; a hash is named password_hash, and plain passwords are not imported")
        if unknown:
            raise _Refusal(f"has the unknown field {min(unknown)[:40]!r}; --ignore leaves it out")
        known = {name: value for name, value in values.items() if name in FIELDS and value not in ("", None)}
        if isinstance(roles := known.get("roles"), str):
            known["roles"] = [role for role in map(str.strip, roles.split(";")) if role]
        for name in _BOOLEANS:
            if isinstance(text := known.get(name), str):
                known[name] = _TRUTH.get(text.strip().lower(), text)
        return known

    def _django(self, model: str, pk: object, fields: Mapping[str, object]) -> dict[str, object] | None:
        if model == "auth.group" and len(self._groups) < _MAX_GROUPS:
            self._groups[str(pk)] = str(fields.get("name"))
        if self.model is None and {"password", self.email_field} <= fields.keys():
            self.model = model
        if self.model is None or model != self.model.lower():
            if {"password", self.email_field} <= fields.keys():
                raise _Refusal("is of another model with passwords; --model chooses one")
            return None
        if "password" not in fields:
            raise _Refusal("has no field password")
        password = fields["password"]
        parts = {"given_name": fields.get("first_name"), "family_name": fields.get("last_name")}
        whole = " ".join(part for part in parts.values() if isinstance(part, str) and part).strip()
        values = {
            **parts,
            "name": whole or fields.get("name") or fields.get("full_name"),
            "preferred_username": fields.get("username"),
            "email": fields.get(self.email_field),
            # "!" begins the value of set_unusable_password().
            "password_hash": None if isinstance(password, str) and password.startswith("!") else password,
            "id": pk,
            "disabled": fields.get("is_active", True) is False,
            "roles": self._roles(fields),
        }
        return {name: value for name, value in values.items() if value not in ("", None)}

    def _roles(self, fields: Mapping[str, object]) -> list[str]:
        """Groups are primary keys, or with `--natural-foreign` lists with the name."""
        groups = fields.get("groups", [])
        if not isinstance(groups, list):
            raise _Refusal("has groups that are no list")
        roles = []
        for group in groups:
            name = group[0] if isinstance(group, list) and group else self._groups.get(str(group))
            if not isinstance(name, str):
                raise _Refusal("has a group that no row before it defines; dump auth.group, too")
            roles.append(name)
        for flag, role in (("is_staff", self.staff_role), ("is_superuser", self.superuser_role)):
            if role is not None and fields.get(flag) is True:
                roles.append(role)
        return list(dict.fromkeys(roles))


def check_columns(columns: Collection[str], ignored: Collection[str]) -> None:
    """Raises Unreadable for a CSV header that no row can be imported with."""
    unknown = set(columns) - FIELDS - set(ignored)
    if "password" in unknown:
        raise Unreadable("has a column password; a hash is named password_hash, and plain passwords are not imported")
    if unknown:
        raise Unreadable(f"has the unknown column {min(unknown)[:40]!r}; --ignore leaves it out")
    if "email" not in columns:
        raise Unreadable("has no column email")


def _old_id(value: object) -> str | None:
    """A primary key as text: an integer, a UUID or another text."""
    if value is None or (isinstance(value, str) and len(value) <= 200):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 64:
        return str(value)
    raise _Refusal("has an id that is neither text nor an integer")


def _new_user(values: Mapping[str, object]) -> NewUser:
    if not values.get("email"):
        raise _Refusal("has no email address")
    try:
        user = _ImportedUser.model_validate(values)
        key = email_key(user.email)
    except ValidationError as invalid:
        names = dict.fromkeys(str(error["loc"][0]) if error["loc"] else "row" for error in invalid.errors())
        raise _Refusal(f"has no valid {', '.join(names)}") from None
    except ValueError:
        raise _Refusal("has no valid email") from None
    if user.password_hash is not None:
        _check_hash(user.password_hash)
    return NewUser(
        email=user.email,
        email_key=key,
        password_hash=user.password_hash,
        claims=user.claims,
        roles=user.roles,
        sub=user.sub,
        is_disabled=user.disabled,
    )


def _check_hash(password_hash: str) -> None:
    """The reasons show nothing of a hash, which may be a password in the wrong field."""
    if password_hash.startswith(_WEAK_FORMATS):
        raise _Refusal("has a password hash of a kind that is too weak (MD5, SHA-1 or crypt)")
    if len(password_hash) > _MAX_HASH_CHARACTERS or cost_of(password_hash) is None:
        raise _Refusal("has a password hash of an unknown kind, or one that takes far too long to check")
    if imported_cost_of(password_hash) is None:
        raise _Refusal("has a password hash that takes too long to check")
    if not Passwords.identify(password_hash):
        raise _Refusal("has a malformed password hash")
