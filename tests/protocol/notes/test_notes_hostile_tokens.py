"""Hostile tokens over HTTP: each is answered with the same 401, none with a 500."""

import json

import httpx
import pytest

from tallystick import base64url
from tests.support.notes_api import NotesApi
from tests.support.token_issuer import ABSENT, AUDIENCE, ISSUER, TokenIssuer, jws, new_rsa_key, new_signing_key

ALL_CLAIMS = ("iss", "sub", "aud", "client_id", "jti", "iat", "exp")
WRONG_VALUES: tuple[object, ...] = (ABSENT, ["x"], {}, None, True)

CLAIM_FAULTS: list[dict[str, object]] = [
    *({claim: wrong} for claim in ALL_CLAIMS for wrong in WRONG_VALUES),
    {"iss": f"{ISSUER}/"},
    {"iss": "https://evil.example"},
    {"aud": "https://other.example"},
    {"aud": f"{AUDIENCE}/"},
    {"aud": []},
    {"aud": [AUDIENCE, 5]},
    {"sub": ""},
    {"sub": "ada\n"},
    {"sub": "a\x00da"},
    {"sub": 5},
    {"client_id": "app\x85one"},
    {"exp": 1},
    {"exp": "9999999999"},
    {"exp": 1e10},
    {"iat": 9_999_999_999},
    {"nbf": 9_999_999_999},
    {"nbf": "0"},
    {"scope": None},
    {"scope": ["notes:read"]},
    {"roles": "editor"},
]

HEADER_FAULTS: list[dict[str, object]] = [
    *({name: wrong} for name in ("typ", "alg", "kid") for wrong in WRONG_VALUES),
    {"typ": "JWT"},
    {"typ": "logout+jwt"},
    {"alg": "none"},
    {"alg": "HS256"},
    {"alg": "RS256"},
    {"kid": ""},
    {"kid": "../../etc/passwd"},
    {"kid": "k" * 5000},
    {"crit": ["exp"]},
    {"b64": False},
    {"jwk": {"kty": "EC"}},
    {"jku": "https://evil.example/keys"},
    {"x5c": []},
]


def malformed_tokens(issuer: TokenIssuer) -> list[str]:
    """Changes of a good token: cut, extended, or with another signature."""
    good = issuer.access_token()
    header, payload, signature = good.split(".")
    claims, rsa = json.dumps(issuer.claims()), new_rsa_key()
    return [
        "",
        ".",
        "..",
        "x",
        "null",
        "a.b.c",
        "." * 1000,
        "A" * 20_000,
        f"{header}.{payload}",
        f"{header}.{payload}.",
        f"{header}..{signature}",
        f".{payload}.{signature}",
        f"{good}.{signature}",
        f"{good}=",
        f"{good}, {good}",
        f"{good}\t",
        f"{good[:-2]}é",
        f"{header}.{payload}.{'A' * 86}",
        f"{payload}.{header}.{signature}",
        f"{header}.{base64url.encode(b'{}')}.{signature}",
        f"{base64url.encode(b'{}')}.{payload}.{signature}",
        f"{base64url.encode(json.dumps(issuer.header(alg='none')).encode())}.{payload}.",
        jws(json.dumps(issuer.header()), claims, new_signing_key()),
        jws(json.dumps(issuer.header(kid=rsa.kid)), claims, issuer.key),
        jws(json.dumps(issuer.header()), claims[:-1] + ', "sub": "eve"}', issuer.key),
        jws(json.dumps(issuer.header()), claims[:-1] + ', "x": "\\ud800"}', issuer.key),
        jws(json.dumps(issuer.header()), claims[:-1] + ', "x": NaN}', issuer.key),
        jws(json.dumps(issuer.header()), claims[:-1] + ', "x": ' + "[" * 2000 + "]" * 2000 + "}", issuer.key),
        jws(json.dumps(issuer.header()), "\ufeff" + claims, issuer.key),
        jws(json.dumps(issuer.header()), claims.encode("utf-16"), issuer.key),
        jws(json.dumps(issuer.header()), b'{"sub": "\xff"}', issuer.key),
        jws(json.dumps(issuer.header()), "[]", issuer.key),
        jws(json.dumps(issuer.header()), "", issuer.key),
        jws("[]", claims, issuer.key),
        jws(json.dumps(issuer.header())[:-1] + ', "alg": "none"}', claims, issuer.key),
    ]


async def test_hostile_tokens_are_refused_with_the_same_challenge(quick_api: NotesApi) -> None:
    issuer = quick_api.issuer
    client = quick_api.anyone()
    good_claims = json.dumps(issuer.claims())
    hostile = [
        *malformed_tokens(issuer),
        *(issuer.access_token(**fault) for fault in CLAIM_FAULTS),
        *(jws(json.dumps(issuer.header(**fault)), good_claims, issuer.key) for fault in HEADER_FAULTS),
    ]
    challenges = set()
    for token in hostile:
        response = await client.get("/notes", headers=[(b"Authorization", f"Bearer {token}".encode())])
        assert response.status_code == 401, token
        assert response.headers["Content-Type"] == "application/problem+json"
        challenges.add(response.headers["WWW-Authenticate"])
    described = {challenge for challenge in challenges if "no token follows" not in challenge}
    assert len(described) == 1
    assert 'error="invalid_token"' in described.pop()
    assert (await quick_api.caller().get("/notes")).status_code == 200


async def test_two_authorization_headers_are_refused(quick_api: NotesApi) -> None:
    good = f"Bearer {quick_api.issuer.access_token()}"
    for second in (good, "Bearer x", "Basic eDp5", ""):
        for both in ([good, second], [second, good]):
            response = await quick_api.anyone().get("/notes", headers=[("Authorization", value) for value in both])
            assert response.status_code == 400
            assert 'error="invalid_request"' in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize("authorization", ["Basic eDp5", "DPoP x", "Bearer", "bearer:x", "Token x", ""])
async def test_header_with_another_scheme_counts_as_no_token(quick_api: NotesApi, authorization: str) -> None:
    response = await quick_api.anyone(Authorization=authorization).get("/notes")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer ")


async def test_token_in_query_body_or_cookie_is_ignored(quick_api: NotesApi) -> None:
    token = quick_api.issuer.access_token(scope="notes:read notes:write")
    client = quick_api.anyone()
    response: httpx.Response
    for response in (
        await client.get("/notes", params={"access_token": token}),
        await client.post("/notes", data={"access_token": token, "title": "x"}),
        await client.get("/notes", headers={"Cookie": f"access_token={token}"}),
    ):
        assert response.status_code == 401
