"""Access tokens are JWTs that anyone with the public key can verify (RFC 9068)."""

import json

import pytest

from auth_service.vocabulary.acr import PASSWORD as PASSWORD_ACR
from tallystick.errors import InvalidToken
from tallystick.jwk import parse_jwk_set
from tallystick.jwt import ACCESS_TOKEN, ID_TOKEN, verify_signature
from tests.support.auth_service import AuthService
from tests.support.clock import MovableClock
from tests.support.declared import ISSUER, NOTES
from tests.support.relying_party import RelyingParty, claims_of, header_of


async def test_access_token_has_exactly_the_claims_that_an_api_needs(rp: RelyingParty, clock: MovableClock) -> None:
    tokens = await rp.tokens(scope="openid email notes:read")
    claims = claims_of(tokens["access_token"])
    sub, jti, status = claims.pop("sub"), claims.pop("jti"), claims.pop("status")
    assert claims == {
        "iss": ISSUER,
        "aud": NOTES,
        "client_id": "app-one",
        "iat": clock.now,
        "exp": clock.now + 300,
        "auth_time": clock.now,
        "acr": PASSWORD_ACR,
        "scope": "openid email notes:read",
        "roles": ["editor"],
    }
    assert sub == claims_of(tokens["id_token"])["sub"]
    assert len(jti) == 32
    assert status.keys() == {"status_list"}  # test_token_status_list.py tests its content


async def test_header_has_typ_alg_and_kid(auth: AuthService, rp: RelyingParty) -> None:
    header = header_of((await rp.tokens())["access_token"])
    (jwk,) = [jwk for jwk in (await auth.http().get("/jwks")).json()["keys"] if jwk["alg"] == "ES256"]
    assert header == {"typ": "at+jwt", "alg": "ES256", "kid": jwk["kid"]}


async def test_published_key_verifies_the_access_token(auth: AuthService, rp: RelyingParty) -> None:
    tokens = await rp.tokens()
    keys = parse_jwk_set((await auth.http().get("/jwks")).content)
    assert verify_signature(tokens["access_token"], ACCESS_TOKEN, keys.__getitem__) == claims_of(tokens["access_token"])


async def test_access_token_and_id_token_are_not_interchangeable(auth: AuthService, rp: RelyingParty) -> None:
    tokens = await rp.tokens()
    keys = parse_jwk_set((await auth.http().get("/jwks")).content)
    with pytest.raises(InvalidToken):
        verify_signature(tokens["id_token"], ACCESS_TOKEN, keys.__getitem__)
    with pytest.raises(InvalidToken):
        verify_signature(tokens["access_token"], ID_TOKEN, keys.__getitem__)


async def test_every_access_token_has_its_own_jti(rp: RelyingParty) -> None:
    tokens = [(await rp.tokens())["access_token"] for _ in range(3)]
    assert len({claims_of(token)["jti"] for token in tokens}) == 3


async def test_access_token_has_no_personal_data(rp: RelyingParty) -> None:
    content = json.dumps(claims_of((await rp.tokens(scope="openid profile email phone"))["access_token"]))
    for text in ("ada@example.com", "Lovelace", "7946"):
        assert text not in content
