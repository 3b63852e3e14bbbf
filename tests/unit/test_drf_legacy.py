"""A view of Django REST Framework that accepts tokens of an old issuer, too, as in docs/migration.md."""

import pytest

from tallystick.access_token_request import Requirement
from tests.support.django_project import project_of
from tests.support.django_project.old_tokens import CLOCK, old_token, status
from tests.support.token_issuer import TokenIssuer


@pytest.mark.parametrize("kind", ["LegacyClaims", "AccessTokenClaims"])
def test_old_and_new_tokens_need_the_scopes_of_the_view(kind: str) -> None:
    issuer = TokenIssuer(CLOCK)
    token = issuer.access_token() if kind == "AccessTokenClaims" else old_token()
    with project_of(issuer):
        assert status(token, ["notes:read"]) == (200, kind)
        assert status(token, ["notes:write"])[0] == 403
        recent, _ = status(token, Requirement(("notes:read",), max_age=300))
    assert recent == (403 if kind == "LegacyClaims" else 401), "the login time of an old token is unknown"
