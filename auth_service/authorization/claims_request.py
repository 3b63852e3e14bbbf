"""The `claims` parameter: single claims, asked for by name (OIDC Core §5.5)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from auth_service.vocabulary.scopes import CLAIM_SCOPES
from tallystick.errors import InvalidRequest
from tallystick.strict_json import parse_object


@dataclass(frozen=True)
class ClaimsRequest:
    """What was asked for, as far as there is anything here that could answer it.

    `userinfo` and `id_token` are names of claims; of those a user may lack some, and then they are left out, essential
    or not. A `value` does not change what is told: it is the client that compares. Of two claims it does more: `subs`
    are the users of whom one has to be signed in, `essential_acrs` the ways to authenticate of which one is demanded
    (§5.5.1, §5.5.1.1); None where nothing was demanded.
    """

    userinfo: frozenset[str] = frozenset()
    id_token: frozenset[str] = frozenset()
    subs: frozenset[str] | None = None
    essential_acrs: frozenset[str] | None = None
    scopes: frozenset[str] = field(init=False)
    """Those to which the claims belong: what the client must be allowed, and the user asked about."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "scopes", frozenset(CLAIM_SCOPES[name] for name in self.userinfo | self.id_token))

    @classmethod
    def parse(cls, text: str) -> "ClaimsRequest":
        """Raises InvalidRequest for what is not of the form of §5.5. Claims that nobody here knows are ignored."""
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
        """Without the claims of other scopes: naming a claim must not tell more than the scope would."""

        def allowed(names: Iterable[str]) -> frozenset[str]:
            return frozenset(name for name in names if CLAIM_SCOPES[name] in scopes)

        return ClaimsRequest(allowed(self.userinfo), allowed(self.id_token), self.subs, self.essential_acrs)

    def stored(self) -> dict[str, list[str]] | None:
        """What has to be remembered until the claims are told."""
        if not self.userinfo and not self.id_token:
            return None
        return {"userinfo": sorted(self.userinfo), "id_token": sorted(self.id_token)}


def _members(document: dict[str, object], name: str) -> dict[str, dict[str, Any] | None]:
    """The claims asked for at one place. Raises ValueError."""
    members = document.get(name)
    if members is None:
        return {}
    if not isinstance(members, dict):
        raise ValueError("not an object")
    for wish in members.values():
        if wish is None:
            continue
        if not isinstance(wish, dict) or not isinstance(wish.get("essential", False), bool):
            raise ValueError("neither null nor an object")
        if not isinstance(wish.get("values", []), list):
            raise ValueError("values is not a list")
    return members


def _values(wish: dict[str, Any] | None) -> frozenset[str] | None:
    """The texts that would do; None when any does."""
    if wish is None or wish.keys().isdisjoint({"value", "values"}):
        return None
    wanted = [*wish.get("values", []), *([wish["value"]] if "value" in wish else [])]
    return frozenset(value for value in wanted if isinstance(value, str))
