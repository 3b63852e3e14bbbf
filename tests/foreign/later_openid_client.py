"""What the npm libraries do with private_key_jwt, registration, form_post and RS256."""

import pytest

from tests.support.front import Front


@pytest.mark.parametrize(
    "flow",
    [
        "code_with_private_key_jwt",
        "form_post",
        "dynamic_registration",
        "id_tokens_signed_with_rs256",
        "signed_userinfo",
    ],
)
def test_openid_client(front: Front, flow: str) -> None:
    front.node("openid_client.js", flow)


@pytest.mark.parametrize("flow", ["code_with_private_key_jwt", "form_post", "dynamic_registration"])
def test_oauth4webapi(front: Front, flow: str) -> None:
    front.node("oauth4webapi.js", flow)
