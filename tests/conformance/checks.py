"""Checks of every response, in every module (docs/conformance.md, "Every response").

The provider's code is not used here: another library verifies the signatures.
"""

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

ID_TOKEN_CLAIMS = frozenset(
    {"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "at_hash", "c_hash", "s_hash"}
    | {"nbf", "jti", "sid", "txn"}
)
"""The suite warns about any other claim in an ID Token that the client did not request."""

ERROR_PARAMETERS = frozenset({"error", "error_description", "error_uri", "state", "session_state", "iss"})
ANSWER_PARAMETERS = frozenset({"code", "state", "iss"})
YEAR = 365 * 86_400

_DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*")
_STRING_CLAIMS = (
    *("name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture"),
    *("website", "gender", "zoneinfo", "locale", "email", "phone_number"),
)


def check_jwks(document: Mapping[str, Any]) -> None:
    """Each key has a kid of its own, is public, and is well-formed (RFC 7517)."""
    keys = document["keys"]
    kids = [key["kid"] for key in keys]
    assert all(kids)
    assert len(set(kids)) == len(kids)
    for key in keys:
        assert key.keys().isdisjoint({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
        assert key["kty"] in ("EC", "RSA")
        for member in {"x", "y", "n", "e"} & key.keys():
            assert re.fullmatch(r"[A-Za-z0-9_-]+", key[member])


def check_error(answer: Mapping[str, str], *, issuer: str, state: str | None) -> None:
    """An error response at the redirect_uri."""
    assert answer["error"]
    assert answer.keys() <= ERROR_PARAMETERS
    assert answer.get("state") == state
    assert answer.get("iss", issuer) == issuer
    assert _DESCRIPTION.fullmatch(answer.get("error_description", ""))


def check_token_response(response: Any) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].partition(";")[0] == "application/json"
    assert "no-store" in response.headers["cache-control"]
    tokens: dict[str, Any] = response.json()
    assert tokens["token_type"].lower() == "bearer"
    assert type(tokens["expires_in"]) is int
    assert 0 < tokens["expires_in"] <= YEAR
    for name in ("access_token", "refresh_token"):
        assert re.fullmatch(r"[\x20-\x7e]{22,}", tokens.get(name, "x" * 22))
    return tokens


def check_token_error(response: Any, error: str) -> None:
    body = response.json()
    assert response.headers["content-type"].partition(";")[0] == "application/json"
    assert (response.status_code, body["error"]) == (401 if error == "invalid_client" else 400, error)
    assert _DESCRIPTION.fullmatch(body.get("error_description", ""))


def read_id_token(
    id_token: str, jwks: Mapping[str, Any], *, issuer: str, client_id: str, nonce: str | None, now: int
) -> dict[str, Any]:
    """The claims of an ID Token that passes all checks of OIDC Core §3.1.3.7."""
    header = extract_compact(id_token.encode()).headers()
    matching = [key for key in jwks["keys"] if key["kid"] == header["kid"]]
    assert len(matching) == 1
    assert matching[0].get("alg", header["alg"]) == header["alg"]
    claims: dict[str, Any] = jwt.decode(id_token, KeySet.import_key_set({"keys": matching}), [header["alg"]]).claims
    assert claims["iss"] == issuer
    assert claims["aud"] in (client_id, [client_id])
    assert claims.get("azp", client_id) == client_id
    assert now < claims["exp"] < now + 50 * YEAR
    assert abs(claims["iat"] - now) <= 300
    assert claims["sub"]
    assert claims.get("nonce") == nonce
    assert ("nonce" in claims) == (nonce is not None)
    if "auth_time" in claims:
        assert type(claims["auth_time"]) is int
        assert now - YEAR < claims["auth_time"] <= now
    assert claims.get("acr", "something")
    check_claims(claims)
    return claims


def id_token_alg(id_token: str) -> str:
    header = extract_compact(id_token.encode()).headers()
    assert header["kid"]
    return str(header["alg"])


def check_claims(claims: Mapping[str, Any]) -> None:
    """Standard claims have the right type and are not empty (OIDC Core §5.1)."""
    assert None not in claims.values()
    for name in _STRING_CLAIMS:
        if name in claims:
            assert isinstance(claims[name], str)
            assert claims[name].strip() not in ("", "null")
    for name in ("email_verified", "phone_number_verified"):
        assert type(claims.get(name, True)) is bool
    if "updated_at" in claims:
        assert type(claims["updated_at"]) is int
        assert claims["updated_at"] > 631_152_000  # 1990
    if "birthdate" in claims:
        assert re.fullmatch(r"\d{4}(-\d{2}-\d{2})?", claims["birthdate"])
        assert claims["birthdate"].startswith("0000") or claims["birthdate"] >= "1850"
        if len(claims["birthdate"]) > 4 and not claims["birthdate"].startswith("0000"):
            date.fromisoformat(claims["birthdate"])
    if "address" in claims:
        assert claims["address"]
        assert all(isinstance(part, str) and part.strip() for part in claims["address"].values())


def is_https(url: object) -> bool:
    return isinstance(url, str) and urlsplit(url).scheme == "https" and bool(urlsplit(url).hostname)


def to_json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
