"""`application/x-www-form-urlencoded`, as the RFCs want it read: each parameter once, an empty value as if left out.

A web framework's own form parsing answers 422 to what must be `invalid_request`, and takes the last of two values.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from tallystick.errors import InvalidRequest
from tallystick.refusal_reasons import Reason

_MAX_FIELDS = 100
_NAME = re.compile(r"[a-z_]{1,40}")


class RepeatedParameter(InvalidRequest):
    """A parameter that may be sent once was sent more often (RFC 6749 §3.1)."""

    reason: Reason = "parameter_repeated"


class Form(Mapping[str, str]):
    """The parameters of one request. `resource` may repeat (RFC 8707 §2): `resources` has all of them.

    Any other that does is in `repeated` and has no value, for there is no telling which one was meant.
    """

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        given = [(name, value) for name, value in pairs if value]
        self.resources: tuple[str, ...] = tuple([value for name, value in given if name == "resource"])
        self._values = {name: value for name, value in given if name != "resource"}
        self.repeated: frozenset[str] = frozenset()
        if len(self._values) + len(self.resources) < len(given):
            counts = Counter(name for name, _ in given)
            self.repeated = frozenset(name for name in self._values if counts[name] > 1)
            self._values = {name: value for name, value in self._values.items() if name not in self.repeated}

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __contains__(self, name: object) -> bool:  # Mapping's own raises and catches for each name that is not there
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def require(self, name: str) -> str:
        """Raises InvalidRequest when the parameter is missing. `name` is one of ours, never the caller's text."""
        value = self._values.get(name)
        if value is None:
            raise InvalidRequest(f"{name} is missing", reason="parameter_missing")
        return value


def parse_form(text: str) -> Form:
    """Raises InvalidRequest for what is not UTF-8, holds a NUL or has too many fields."""
    if "%00" in text or "\0" in text:
        raise InvalidRequest("a parameter holds a NUL character", reason="form_malformed")
    if text.count("&") >= _MAX_FIELDS:
        raise InvalidRequest("there are too many parameters", reason="form_malformed")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict")
    except ValueError:
        raise InvalidRequest("the parameters are not form-encoded UTF-8", reason="form_malformed") from None
    return Form(pairs)


def which_is_repeated(form: Form) -> str:
    """For the `description` of a refusal; a name that is not made as ours are is not shown."""
    name = min(form.repeated)
    return f"{name} is repeated" if _NAME.fullmatch(name) else "a parameter is repeated"


async def read_form(request: Request) -> Form:
    """The form in a request's body.

    Raises InvalidRequest for another content type, malformed contents, or a parameter that is named twice.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/x-www-form-urlencoded":
        raise InvalidRequest("the body must be application/x-www-form-urlencoded", reason="body_not_a_form")
    try:
        form = parse_form((await request.body()).decode("ascii"))
    except UnicodeDecodeError:
        raise InvalidRequest("the parameters are not form-encoded UTF-8", reason="form_malformed") from None
    if form.repeated:
        raise RepeatedParameter(which_is_repeated(form))
    return form
