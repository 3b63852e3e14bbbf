"""3rd-Party-Init OP, and the certification's requirements for registration (docs/conformance.md)."""

import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from joserfc.jws import extract_compact

from auth_service.keys.key_ring import KeyRing
from auth_service.keys.master_key import MasterKey
from tests.conformance.checks import check_token_response, id_token_alg, is_https
from tests.conformance.site import Site
from tests.conformance.suite import CALLBACK, Suite
from tests.support.clock import MovableClock
from tests.support.declared import MASTER_KEY
from tests.support.images import png

INITIATE = "https://suite.example.net/test/a/initiate"


async def test_third_party_init_login(dynamic_suite: Suite) -> None:
    """The registration response and each read response have the address."""
    client = await dynamic_suite.client(initiate_login_uri=INITIATE)
    assert client.registration["initiate_login_uri"] == INITIATE
    read = await dynamic_suite.http.get(
        client.registration["registration_client_uri"],
        headers={"Authorization": f"Bearer {client.registration['registration_access_token']}"},
    )
    assert (read.status_code, read.headers["content-type"]) == (200, "application/json")
    assert read.json()["initiate_login_uri"] == INITIATE


async def test_third_party_init_login_nohttps(dynamic_suite: Suite) -> None:
    response = await dynamic_suite.register(initiate_login_uri=INITIATE.replace("https", "http"))
    assert (response.status_code, response.json()["error"]) == (400, "invalid_client_metadata")


async def test_a_client_can_delete_its_registration(dynamic_suite: Suite) -> None:
    registration = (await dynamic_suite.client()).registration
    assert is_https(registration["registration_client_uri"])
    bearer = {"Authorization": f"Bearer {registration['registration_access_token']}"}
    assert (await dynamic_suite.http.delete(registration["registration_client_uri"], headers=bearer)).status_code == 204
    assert (await dynamic_suite.http.get(registration["registration_client_uri"], headers=bearer)).status_code == 401


async def test_a_client_without_scope_may_request_every_openid_connect_scope(dynamic_suite: Suite) -> None:
    client = await dynamic_suite.client(grant_types=["authorization_code", "refresh_token"])
    scope = "openid profile email address phone offline_access"
    login = await dynamic_suite.log_in(client, scope=scope, prompt="consent")
    assert login.tokens["refresh_token"]


@pytest.mark.parametrize(
    ("metadata", "errors"),
    [
        ({"redirect_uris": [f"{CALLBACK}#fragment"]}, ("invalid_redirect_uri", "invalid_client_metadata")),
        ({"redirect_uris": ["http://suite.example.net/callback"]}, ("invalid_redirect_uri",)),
        ({"redirect_uris": []}, ("invalid_redirect_uri", "invalid_client_metadata")),
        ({"id_token_signed_response_alg": "none"}, ("invalid_client_metadata",)),
        ({"response_types": ["id_token token"]}, ("invalid_client_metadata",)),
    ],
)
async def test_invalid_client_metadata_is_refused(
    dynamic_suite: Suite, metadata: dict[str, Any], errors: tuple[str, ...]
) -> None:
    response = await dynamic_suite.register(**metadata)
    assert response.status_code == 400
    assert response.json()["error"] in errors


async def test_id_token_rs256(dynamic_suite: Suite) -> None:
    """A client gets ID Tokens with the algorithm that it registered."""
    for alg in ("RS256", "ES256"):
        client = await dynamic_suite.client(id_token_signed_response_alg=alg)
        assert id_token_alg((await dynamic_suite.log_in(client)).id_token) == alg


async def test_redirect_uris_with_a_query(dynamic_suite: Suite) -> None:
    """A redirect URI keeps its query; with another query it is not registered."""
    registered = f"{CALLBACK}?foo=bar"
    client = await dynamic_suite.client(redirect_uris=[registered])
    await dynamic_suite.log_in(client)
    for other in (CALLBACK, f"{CALLBACK}?foo=other", f"{registered}&more=1"):
        page = await dynamic_suite.arrive(dynamic_suite.parameters(client, redirect_uri=other))
        assert (page.status_code, 'id="error"' in page.text) == (400, True)


async def test_ensure_redirect_uri_in_authorization_request(dynamic_suite: Suite) -> None:
    client = await dynamic_suite.client(redirect_uris=[CALLBACK, f"{CALLBACK}/2"])
    page = await dynamic_suite.arrive(dynamic_suite.parameters(client, redirect_uri=None))
    assert (page.status_code, 'id="error"' in page.text) == (400, True)


async def test_login_and_consent_page_link_to_policy_and_terms(dynamic_suite: Suite) -> None:
    links = {"policy_uri": "https://suite.example.net/policy", "tos_uri": "https://suite.example.net/terms"}
    client = await dynamic_suite.client(**links)
    login_page = await dynamic_suite.arrive(dynamic_suite.parameters(client))
    consent_page = await dynamic_suite.person.sign_in(login_page)
    for page in (login_page, consent_page):
        assert all(f'href="{uri}"' in page.text for uri in links.values())


async def test_a_client_assertion_may_name_the_issuer_as_its_audience(dynamic_suite: Suite) -> None:
    """The module ensure-client-assertion-with-iss-aud-succeeds; the plan private-key-jwt names the token endpoint."""
    client = await dynamic_suite.client(method="private_key_jwt")
    code = (await dynamic_suite.authorize(client))["code"]
    response = await dynamic_suite.redeem(
        client, code, client_assertion=dynamic_suite.assertion(client, aud=dynamic_suite.issuer)
    )
    assert response.status_code == 200


async def test_userinfo_rs256(dynamic_suite: Suite) -> None:
    assert "RS256" in dynamic_suite.metadata["userinfo_signing_alg_values_supported"]
    client = await dynamic_suite.client(userinfo_signed_response_alg="RS256")
    code = (await dynamic_suite.authorize(client))["code"]
    token = (await dynamic_suite.redeem(client, code)).json()["access_token"]
    response = await dynamic_suite.http.get(
        dynamic_suite.metadata["userinfo_endpoint"], headers={"Authorization": f"Bearer {token}"}
    )
    assert response.headers["content-type"].partition(";")[0] == "application/jwt"
    keys: Any = dynamic_suite.jwks
    read = jwt.decode(response.text, KeySet.import_key_set(keys), ["RS256"])
    assert (read.claims["iss"], read.claims["aud"]) == (dynamic_suite.issuer, client.client_id)
    assert "nonce" not in read.claims


async def test_the_logo_is_shown_on_the_login_page(dynamic_suite: Suite, site: Site) -> None:
    """The provider fetches the logo from the suite, and serves it from its own origin."""
    logo = png()
    site.documents["https://suite.example.net/logo.png"] = "image/png", logo
    client = await dynamic_suite.client(logo_uri="https://suite.example.net/logo.png")
    page = await dynamic_suite.arrive(dynamic_suite.parameters(client))
    source = f"/logo?client_id={client.client_id}"
    assert f'<img class="logo" src="{source}"' in page.text
    assert (await dynamic_suite.http.get(source)).content == logo


async def test_keys_at_a_jwks_uri(dynamic_suite: Suite, site: Site, clock: MovableClock) -> None:
    """The modules registration-jwks-uri and refresh-token-rp-key-rotation: an unknown kid causes a new fetch."""
    uri = "https://suite.example.net/test/a/jwks"
    keys = [ECKey.generate_key("P-256", {"kid": kid, "alg": "ES256", "use": "sig"}) for kid in ("one", "two")]

    def publish(key: ECKey) -> None:
        document = {"keys": [key.as_dict(private=False)]}
        site.documents[uri] = "application/json", json.dumps(document).encode()

    def assertion(key: ECKey) -> str:
        claims = dict.fromkeys(("iss", "sub"), client.client_id) | {"aud": dynamic_suite.metadata["token_endpoint"]}
        claims |= {"jti": f"{key.kid} {clock.now}", "exp": clock.now + 60}
        return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)

    publish(keys[0])
    client = await dynamic_suite.client(
        method="private_key_jwt", jwks=None, jwks_uri=uri, grant_types=["authorization_code", "refresh_token"]
    )
    code = (await dynamic_suite.authorize(client, scope="openid offline_access", prompt="consent"))["code"]
    tokens = check_token_response(await dynamic_suite.redeem(client, code, client_assertion=assertion(keys[0])))
    publish(keys[1])
    clock.advance(seconds=60)
    refreshed = await dynamic_suite.call(
        client,
        grant_type="refresh_token",
        refresh_token=tokens["refresh_token"],
        client_assertion=assertion(keys[1]),
    )
    check_token_response(refreshed)


async def test_the_providers_keys_rotate(dynamic_suite: Suite, clock: MovableClock) -> None:
    """The module server-rotate-keys: a new kid signs, and the old one is still listed."""
    client = await dynamic_suite.client()
    before = await dynamic_suite.log_in(client)
    master_key = MasterKey.load(MASTER_KEY, may_create=False)
    ring = KeyRing.from_lifetimes(dynamic_suite.op.store, master_key, clock, dynamic_suite.op.settings.lifetimes)
    new = await ring.rotate("RS256")
    clock.advance(seconds=2)
    await dynamic_suite.discover()  # the service has read the key, which does not sign yet
    clock.advance(seconds=60)
    await dynamic_suite.discover()
    after = await dynamic_suite.log_in(client)
    old, current = (extract_compact(login.id_token.encode()).headers()["kid"] for login in (before, after))
    assert current == new != old
    assert {old, new} <= {key["kid"] for key in dynamic_suite.jwks["keys"]}
