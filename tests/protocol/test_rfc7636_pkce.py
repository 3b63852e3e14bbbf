"""PKCE (RFC 7636): S256 only, and by default required of every client (RFC 9700 §2.1.1)."""

from typing import Any

import pytest

from tests.support.auth_service import AuthService
from tests.support.relying_party import CODE_CHALLENGE, CODE_VERIFIER, RelyingParty, answer_of, error_of


async def test_the_example_of_appendix_b(rp: RelyingParty) -> None:
    code = await rp.authorization_code(code_challenge="E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
    response = await rp.token(code, code_verifier="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert response.status_code == 200


@pytest.mark.parametrize(
    "fault",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge": None},
        {"code_challenge_method": None},  # the default is plain
        {"code_challenge_method": "plain"},
        {"code_challenge_method": "s256"},
        {"code_challenge": CODE_CHALLENGE[:-1]},
        {"code_challenge": CODE_CHALLENGE + "="},
        {"code_challenge": CODE_CHALLENGE[:-1] + "+"},
        {"code_challenge": CODE_CHALLENGE + "\n"},
    ],
)
@pytest.mark.parametrize("client_id", ["app-one", "spa"])
async def test_a_missing_or_malformed_code_challenge_is_an_invalid_request(
    auth: AuthService, client_id: str, fault: dict[str, Any]
) -> None:
    response = await auth.relying_party(client_id).authorize(**fault)
    assert answer_of(response)["error"] == "invalid_request"


async def test_pkce_can_be_waived_for_a_confidential_client(auth: AuthService) -> None:
    rp = auth.relying_party("no-pkce")
    code = await rp.authorization_code(code_challenge=None, code_challenge_method=None)
    assert (await rp.token(code, code_verifier=None)).status_code == 200


async def test_a_client_with_waived_pkce_must_send_the_verifier_of_a_challenge_it_sent(auth: AuthService) -> None:
    rp = auth.relying_party("no-pkce")
    code = await rp.authorization_code()
    assert error_of(await rp.token(code, code_verifier=None)) == (400, "invalid_grant")
    assert (await rp.token(code)).status_code == 200


async def test_a_code_verifier_for_a_code_without_challenge_is_refused(auth: AuthService) -> None:
    """An attacker may have removed the challenge from the request: the downgrade of RFC 9700 §4.8.2."""
    rp = auth.relying_party("no-pkce")
    code = await rp.authorization_code(code_challenge=None, code_challenge_method=None)
    assert error_of(await rp.token(code, code_verifier=CODE_VERIFIER)) == (400, "invalid_grant")
