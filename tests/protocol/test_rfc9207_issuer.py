"""The issuer in the authorization response (RFC 9207): a client of many servers can tell whose answer it got."""

from tests.support.declared import ISSUER
from tests.support.relying_party import RelyingParty, answer_of


async def test_a_code_comes_with_the_issuer(rp: RelyingParty) -> None:
    assert answer_of(await rp.sign_in())["iss"] == ISSUER


async def test_a_refusal_comes_with_the_issuer(rp: RelyingParty) -> None:
    assert answer_of(await rp.authorize(prompt="none"))["iss"] == ISSUER


async def test_the_metadata_says_so(rp: RelyingParty) -> None:
    metadata = (await rp.http.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert metadata["issuer"] == ISSUER
