"""The step-up challenge of an API, which requires a more recent or a stronger login (RFC 9470 §3)."""

import re
from collections.abc import Sequence

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 — the `token` of RFC 9110 §5.6.2
_PARAMETER = re.compile(rf'({_TOKEN})=(?:"([ !#-\[\]-~]*)"|({_TOKEN}))')
_CHALLENGE = re.compile(rf"Bearer +{_PARAMETER.pattern}(?: *, *{_PARAMETER.pattern})*", re.IGNORECASE)
_MAX_LENGTH = 2048

_STEP_UP_PARAMETERS = {
    "max_age": re.compile("[0-9]{1,9}"),
    "acr_values": re.compile(r"(?=.{1,256}\Z)[!#-\[\]-~]+(?: [!#-\[\]-~]+)*"),
}
"""The parameters that are sent to the issuer in a URL, with the values that are accepted."""


def step_up_parameters(www_authenticate: Sequence[str]) -> dict[str, str] | None:
    """Return `max_age` or `acr_values` or both, for an authorization request (RFC 9470 §4).

    `www_authenticate` holds every value of that header. None for another challenge, for more than one challenge, and
    for invalid syntax.
    """
    if len(www_authenticate) != 1 or len(www_authenticate[0]) > _MAX_LENGTH:
        return None
    if not _CHALLENGE.fullmatch(www_authenticate[0]):
        return None
    found = [(name.lower(), quoted or bare) for name, quoted, bare in _PARAMETER.findall(www_authenticate[0])]
    challenge = dict(found)
    if len(challenge) != len(found) or challenge.get("error") != "insufficient_user_authentication":
        return None
    parameters = {name: challenge[name] for name in _STEP_UP_PARAMETERS if name in challenge}
    is_valid = all(_STEP_UP_PARAMETERS[name].fullmatch(value) for name, value in parameters.items())
    return parameters if parameters and is_valid else None
