"""The `claims` parameter, which requests single claims by name (OIDC Core §5.5)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from auth_service.vocabulary.scopes import CLAIM_SCOPES
from tallystick.errors import InvalidRequest
from tallystick.strict_json import parse_object


@dataclass(frozen=True)
class ClaimsRequest:
    """The requested claims that this service knows.

    `userinfo` and `id_token` are names of claims. A claim that the user does not have is left out of the response,
    essential or not. A requested `value` has an effect for two claims only: `subs` are the users of which one must be
    signed in (§5.5.1), and `essential_acrs` the acr values of which one must be met (§5.5.1.1). Both are None if the
    request has no such value.
    """

    userinfo: frozenset[str] = frozenset()
    id_token: frozenset[str] = frozenset()
    subs: frozenset[str] | None = None
    essential_acrs: frozenset[str] | None = None
    scopes: frozenset[str] = field(init=False)
    """The scopes of the claims. The client must be registered for them, and the user is asked about them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "scopes", frozenset(CLAIM_SCOPES[name] for name in self.userinfo | self.id_token))

    @classmethod
    def parse(cls, text: str) -> "ClaimsRequest":
        """Raises InvalidRequest for text that §5.5 does not allow. Unknown claims are ignored."""
        try:
            document = parse_object(text.encode())
            userinfo, id_token = _members(document, "userinfo"), _members(document, "id_token")
            subs = _values(id_token.get("sub"))
            acr = id_token.get("acr") or {}
            return cls(
                userinfo=frozenset(userinfo.keys() & CLAIM_SCOPES.keys()),
                id_token=frozenset(id_token.keys() & CLAIM_SCOPES.keys()),
                subs=subs,
                essential_acrs=_values(acr) if acr.get("essential") is True else None,
            )
        except ValueError:
            raise InvalidRequest("the claims parameter is malformed", reason="claims_malformed") from None

    def within(self, scopes: Collection[str]) -> "ClaimsRequest":
        """Only the claims of `scopes`: a client must not get a claim by its name that it cannot get by a scope."""

        def allowed(names: Iterable[str]) -> frozenset[str]:
            return frozenset(name for name in names if CLAIM_SCOPES[name] in scopes)

        return ClaimsRequest(allowed(self.userinfo), allowed(self.id_token), self.subs, self.essential_acrs)

    def stored(self) -> dict[str, list[str]] | None:
        """The form in which the code and the token family keep the request; None if it has no claims."""
        if not self.userinfo and not self.id_token:
            return None
        return {"userinfo": sorted(self.userinfo), "id_token": sorted(self.id_token)}


def _members(document: dict[str, object], name: str) -> dict[str, dict[str, Any] | None]:
    """The requests for claims under `name`, which is `userinfo` or `id_token`. Raises ValueError."""
    members = document.get(name)
    if members is None:
        return {}
    if not isinstance(members, dict):
        raise ValueError("not an object")
    for member in members.values():
        if member is None:
            continue
        if not isinstance(member, dict) or not isinstance(member.get("essential", False), bool):
            raise ValueError("neither null nor an object")
        if not isinstance(member.get("values", []), list):
            raise ValueError("values is not a list")
    return members


def _values(member: dict[str, Any] | None) -> frozenset[str] | None:
    """The accepted values that are strings; None if the request for this claim names no values."""
    if member is None or member.keys().isdisjoint({"value", "values"}):
        return None
    values = [*member.get("values", []), *([member["value"]] if "value" in member else [])]
    return frozenset(value for value in values if isinstance(value, str))
