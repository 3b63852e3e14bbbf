"""The one challenge that the app can meet: the API wants a fresher or a stronger login (RFC 9470 §3)."""

import re
from collections.abc import Sequence

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 — RFC 9110's word for a word
_PARAMETER = re.compile(rf'({_TOKEN})=(?:"([ !#-\[\]-~]*)"|({_TOKEN}))')
_CHALLENGE = re.compile(rf"Bearer +{_PARAMETER.pattern}(?: *, *{_PARAMETER.pattern})*", re.IGNORECASE)
_LONGEST = 2048

_ASKED = {
    "max_age": re.compile("[0-9]{1,9}"),
    "acr_values": re.compile(r"(?=.{1,256}\Z)[!#-\[\]-~]+(?: [!#-\[\]-~]+)*"),
}
"""What may be passed on to the issuer, and as how much: it travels in a URL that the browser has to follow."""


def step_up(www_authenticate: Sequence[str]) -> dict[str, str] | None:
    """The parameters `max_age` and `acr_values` with which to ask the issuer, at least one of them.

    `www_authenticate` holds every value of that header. None for any other challenge, for more than one, and for what
    is not written strictly: then the refusal is one like others.
    """
    if len(www_authenticate) != 1 or len(www_authenticate[0]) > _LONGEST:
        return None
    if not _CHALLENGE.fullmatch(www_authenticate[0]):
        return None
    found = [(name.lower(), quoted or bare) for name, quoted, bare in _PARAMETER.findall(www_authenticate[0])]
    parameters = dict(found)
    if len(parameters) != len(found) or parameters.get("error") != "insufficient_user_authentication":
        return None
    asked = {name: parameters[name] for name in _ASKED if name in parameters}
    return asked if asked and all(_ASKED[name].fullmatch(value) for name, value in asked.items()) else None
