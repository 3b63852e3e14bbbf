"""oauth4webapi (npm) as a client of both services behind the TLS front."""

import pytest

from tests.support.front import Front


@pytest.mark.parametrize(
    "flow",
    [
        "code_with_client_secret_basic",
        "code_with_client_secret_post",
        "code_of_a_public_client",
        "an_answer_of_another_issuer_is_not_taken",
        "a_refusal_comes_back_as_one",
        "client_credentials_for_an_api",
    ],
)
def test_oauth4webapi(front: Front, flow: str) -> None:
    front.node("oauth4webapi.js", flow)
