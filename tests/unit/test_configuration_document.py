"""docs/configuration.md names every key of a configuration file."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from auth_service.settings.declarations import DeclaredUser
from auth_service.settings.settings import Settings as AuthSettings
from resource_service.settings import Settings as ResourceSettings

DOCUMENT = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")
OF_AUTH, _, OF_RESOURCE = DOCUMENT.partition("## The notes API")

ONLY_STANDARD = set(DeclaredUser.model_fields) - {"email", "password", "password_hash", "roles"}
"""The claims of a user, for which the document refers to OpenID Connect Core §5.1."""


def keys(model: type[BaseModel]) -> Iterator[str]:
    """The keys of the model and of all tables in it."""
    for name, field in model.model_fields.items():
        yield name
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from keys(part)


@pytest.mark.parametrize(
    ("settings", "text"), [(AuthSettings, OF_AUTH), (ResourceSettings, OF_RESOURCE)], ids=["auth", "resource"]
)
def test_every_key_is_documented(settings: type[BaseModel], text: str) -> None:
    named = set(keys(settings))
    assert {"database_url", "issuer"} <= named
    missing = {name for name in named - ONLY_STANDARD if f"`{name}`" not in text and f"[{name}]" not in text}
    assert missing == set()
