"""openid-client (npm) as a client of both services behind the TLS front."""

import pytest

from tests.support.front import Front


@pytest.mark.parametrize(
    "flow",
    [
        "code_with_client_secret_basic",
        "code_with_client_secret_post",
        "code_of_a_public_client",
        "an_answer_of_another_issuer_or_with_another_nonce_is_not_taken",
        "introspection",
        "rp_initiated_logout",
        "client_credentials",
    ],
)
def test_openid_client(front: Front, flow: str) -> None:
    front.node("openid_client.js", flow)
