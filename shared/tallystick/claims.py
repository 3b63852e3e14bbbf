"""What one side writes into a token and the other side reads out of it.

A claims object says "these were signed by the issuer": only a verifier makes one from a string.
"""

from functools import cached_property
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f-\x9f]+\z")]
"""Text that names somebody: never empty, and without control characters, which make two names look like one."""


class AccessTokenClaims(BaseModel):
    """An access token that was verified (RFC 9068 §2.2). Unknown claims are kept in `model_extra`."""

    model_config = ConfigDict(frozen=True, strict=True, extra="allow", hide_input_in_errors=True)

    iss: str
    sub: Identifier
    aud: str | list[str]
    client_id: Identifier
    jti: Identifier
    iat: int  # Unix seconds, as are all times here
    exp: int
    nbf: int | None = None
    scope: str = ""
    auth_time: int | None = None
    acr: str | None = None
    roles: list[str] = Field(default_factory=list)

    @cached_property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.scope.split(" ")) - {""}  # by space alone: other white space is part of a word
