"""The claims of a verified access token."""

from functools import cached_property
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f-\x9f]+\z")]
"""Not empty, and without control characters, because these make two identifiers look the same."""


class AccessTokenClaims(BaseModel):
    """RFC 9068 §2.2. Unknown claims are kept in `model_extra`.

    An instance means that the issuer signed these claims: only a verifier creates one from a token.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="allow", hide_input_in_errors=True)

    iss: str
    sub: Identifier
    aud: str | list[str]
    client_id: Identifier
    jti: Identifier
    iat: int  # all times are Unix seconds
    exp: int
    nbf: int | None = None
    scope: str = ""
    auth_time: int | None = None
    acr: str | None = None
    roles: list[str] = Field(default_factory=list)

    @cached_property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.scope.split(" ")) - {""}  # other white space does not separate scopes (RFC 6749 §3.3)
