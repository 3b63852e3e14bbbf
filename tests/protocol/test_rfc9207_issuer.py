"""The issuer in the authorization response (RFC 9207): a client of several servers knows which one answered."""

from tests.support.declared import ISSUER
from tests.support.relying_party import RelyingParty, answer_of


async def test_a_code_comes_with_the_issuer(rp: RelyingParty) -> None:
    assert answer_of(await rp.sign_in())["iss"] == ISSUER


async def test_an_error_comes_with_the_issuer(rp: RelyingParty) -> None:
    assert answer_of(await rp.authorize(prompt="none"))["iss"] == ISSUER


async def test_the_metadata_announces_the_iss_parameter(rp: RelyingParty) -> None:
    metadata = (await rp.http.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert metadata["issuer"] == ISSUER
