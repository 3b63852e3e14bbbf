"""`application/x-www-form-urlencoded` as the RFCs define it: each parameter once, and an empty value counts as absent.

FastAPI's form parsing answers 422 where the RFCs require `invalid_request`, and takes the last of two values.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from tallystick.errors import InvalidRequest
from tallystick.refusal_reasons import Reason

_MAX_FIELDS = 100
_NAME = re.compile(r"[a-z_]{1,40}")


class RepeatedParameter(InvalidRequest):
    """A parameter was sent more than once (RFC 6749 §3.1).

    The description names the first of `names`, unless it is not a name that this service could define.
    """

    reason: Reason = "parameter_repeated"

    def __init__(self, names: Collection[str]) -> None:
        name = min(names)
        super().__init__(f"{name if _NAME.fullmatch(name) else 'a parameter'} is repeated")


class Form(Mapping[str, str]):
    """The parameters of one request. Only `resource` may be repeated (RFC 8707 §2); `resources` has all its values.

    `repeated` names the other parameters that were sent more than once. They have no value.
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

    def __contains__(self, name: object) -> bool:  # faster than Mapping's, which catches a KeyError for an absent name
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def require(self, name: str) -> str:
        """Raises InvalidRequest when the parameter is missing. The error names `name`, so it must be a constant."""
        value = self._values.get(name)
        if value is None:
            raise InvalidRequest(f"{name} is missing", reason="parameter_missing")
        return value


def parse_form(text: str) -> Form:
    """Raises InvalidRequest for text that is not form-encoded UTF-8, has a NUL character, or has too many fields."""
    if "%00" in text or "\0" in text:
        raise InvalidRequest("a parameter holds a NUL character", reason="form_malformed")
    if text.count("&") >= _MAX_FIELDS:
        raise InvalidRequest("there are too many parameters", reason="form_malformed")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict")
    except ValueError:
        raise InvalidRequest("the parameters are not form-encoded UTF-8", reason="form_malformed") from None
    return Form(pairs)


async def read_form(request: Request) -> Form:
    """The form in a request's body.

    Raises InvalidRequest for another content type, malformed content, or a parameter that is sent twice.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/x-www-form-urlencoded":
        raise InvalidRequest("the body must be application/x-www-form-urlencoded", reason="body_not_a_form")
    try:
        form = parse_form((await request.body()).decode("ascii"))
    except UnicodeDecodeError:
        raise InvalidRequest("the parameters are not form-encoded UTF-8", reason="form_malformed") from None
    if form.repeated:
        raise RepeatedParameter(form.repeated)
    return form
