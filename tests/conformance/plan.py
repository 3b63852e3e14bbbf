"""The plans of docs/conformance.md that run the same modules, with different clients and response modes."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Plan:
    """A combination that the certification of an OpenID Provider requires."""

    name: str
    token_endpoint_auth_method: Literal["client_secret_basic", "private_key_jwt", "none"]
    is_dynamic: bool
    response_mode: Literal["form_post"] | None = None

    def __str__(self) -> str:
        return self.name


PLANS = (
    Plan("basic-static", "client_secret_basic", is_dynamic=False),
    Plan("basic-dynamic", "client_secret_basic", is_dynamic=True),
    Plan("formpost-static", "client_secret_basic", is_dynamic=False, response_mode="form_post"),
    Plan("formpost-dynamic", "client_secret_basic", is_dynamic=True, response_mode="form_post"),
    Plan("private-key-jwt", "private_key_jwt", is_dynamic=True),
    Plan("public", "none", is_dynamic=True),
)
