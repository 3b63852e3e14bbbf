"""Settings from a TOML file and from environment variables, which override every key. An error stops the start."""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from tallystick_service.settings.misconfigured import Misconfigured

M = TypeVar("M", bound=BaseModel)
Document = dict[str, Any]
Key = tuple[str, ...]


def read_settings(model: type[M], file: Path, *, env_prefix: str, environment: Mapping[str, str] | None = None) -> M:
    """Read `file`, override it with `environment` (`os.environ` by default), and validate the result with `model`.

    With the prefix `AUTH_`, `AUTH_ISSUER` sets `issuer` and `AUTH_LIFETIMES__CODE` sets `code` of the table
    `lifetimes`. Lists and tables are written as JSON. `model` must forbid extra keys. A variable that resembles a key
    is refused as a misspelling. Other variables are ignored, because container platforms add variables of their own.

    Raises Misconfigured, which names the first key at fault and no value.
    """
    document = _parse(file)
    sources: dict[Key, str] = {}
    for variable, text in (os.environ if environment is None else environment).items():
        if variable.startswith(env_prefix):
            key = tuple(variable.removeprefix(env_prefix).lower().split("__"))
            annotation = _annotation(model, key)
            if annotation is not None:
                _put(document, key, _value(annotation, text))
                sources[key] = variable
            elif f"env:{variable}" not in _strings(document):
                _refuse_misspelling(variable, env_prefix, model)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise Misconfigured(_first_error(error, file, sources)) from None  # its own text contains values


def _parse(file: Path) -> Document:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise Misconfigured(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{file} is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{file} is not TOML: {error}") from error


def _annotation(model: type[BaseModel], key: Key) -> Any:
    """The type of the field that `key` names, or None if there is no such field."""
    field = model.model_fields.get(key[0])
    if field is None:
        return None
    if len(key) == 1:
        return field.annotation
    inner = field.annotation
    return _annotation(inner, key[1:]) if isinstance(inner, type) and issubclass(inner, BaseModel) else None


def _value(annotation: Any, text: str) -> Any:
    """`text` if the field accepts it, else `text` parsed as JSON."""
    try:
        TypeAdapter(annotation).validate_python(text)
    except ValidationError:
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _put(document: Document, key: Key, value: Any) -> None:
    for name in key[:-1]:
        inner = document.setdefault(name, {})
        if not isinstance(inner, dict):
            return  # the file has a value there, which the model will refuse
        document = inner
    document[key[-1]] = value


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for inner in value.values():
                yield from _strings(inner)
        case list():
            for inner in value:
                yield from _strings(inner)


def _refuse_misspelling(variable: str, env_prefix: str, model: type[BaseModel]) -> None:
    known = list(_variables(model, env_prefix))
    near = get_close_matches(variable, known, n=1, cutoff=0.85)
    if near:
        raise Misconfigured(f"{variable} names no setting; did you mean {near[0]}?")
    section = variable.rpartition("__")[0]
    if any(name.startswith(f"{section}__") for name in known):
        raise Misconfigured(f"{variable} names no setting")


def _variables(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name.upper()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _variables(field.annotation, f"{prefix}{name.upper()}__")


def _first_error(error: ValidationError, file: Path, sources: Mapping[Key, str]) -> str:
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    first = errors[0]
    place = ".".join(map(str, first["loc"])) or "the settings"
    where = sources.get(tuple(map(str, first["loc"])), f"{file}: {place}")
    what = {"extra_forbidden": "unknown key", "missing": "is missing"}.get(
        first["type"], first["msg"].removeprefix("Value error, ")
    )
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{where}: {what}{more}"
