"""Access tokens for the verifiers of other languages, valid and hostile, from the auth service behind the front."""

import base64
import hashlib
import hmac
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

from tests.support.declared import secret_of
from tests.support.foreign_clients import APP
from tests.support.front import Front
from tests.support.relying_party import CODE_CHALLENGE, CODE_VERIFIER, basic, claims_of

ACCEPTED = {"of_a_client", "of_a_user"}
"""Every other kind has to be refused."""


@dataclass(frozen=True)
class VerifierTokens:
    issuer: str
    audience: str
    jwks_uri: str
    tokens: dict[str, str]

    def save(self, file: Path, *, audience: str | None = None) -> Path:
        file.write_text(json.dumps({**vars(self), "audience": audience or self.audience}))
        return file


async def issue_tokens(front: Front) -> tuple[VerifierTokens, str]:
    """Return the tokens, and the ID Token of the client `basic`."""
    notes = front.files.notes_url
    async with front.http() as http:
        metadata = (await http.get("/.well-known/oauth-authorization-server")).json()
        key = (await http.get("/jwks")).json()["keys"][0]
        client = await _token(http, "bot", grant_type="client_credentials", scope="notes:read", resource=notes)
        user = await _sign_in(front, http, scope="openid notes:read")
        other = await _sign_in(front, http, scope="openid profile")
        revoked = await _sign_in(front, http, scope="openid notes:read")
        await http.post("/revoke", data={"token": revoked["access_token"]}, headers=_basic("basic"))
    valid = client["access_token"]
    tokens = {
        "of_a_client": valid,
        "of_a_user": user["access_token"],
        "for_another_audience": other["access_token"],
        "id_token": user["id_token"],
        "changed": _changed(valid),
        "unsigned": _unsigned(valid),
        "signed_with_the_public_key": _with_hmac(valid, json.dumps(key)),
        "without_signature": valid.rpartition(".")[0] + ".",
        "text": "no token",
    }
    return VerifierTokens(front.issuer, notes, metadata["jwks_uri"], tokens | {"revoked": revoked["access_token"]}), (
        user["id_token"]
    )


async def is_on_the_status_list(http: httpx.AsyncClient, token: str) -> bool:
    """Whether the issuer has published the revocation of `token`. No signature is verified."""
    reference = claims_of(token)["status"]["status_list"]
    status_list = claims_of((await http.get(urlsplit(reference["uri"]).path)).text)["status_list"]
    statuses = zlib.decompress(base64.urlsafe_b64decode(status_list["lst"] + "=="))
    return bool(statuses[reference["idx"] >> 3] >> (reference["idx"] & 7) & 1)


async def _sign_in(front: Front, http: httpx.AsyncClient, *, scope: str) -> dict[str, str]:
    browser = front.browser(http)
    request = {
        "response_type": "code",
        "client_id": "basic",
        "redirect_uri": APP,
        "scope": scope,
        "code_challenge": CODE_CHALLENGE,
        "code_challenge_method": "S256",
    }
    response = await browser.open(f"/authorize?{urlencode(request)}")
    if 'id="sign-in"' in response.text:
        response = await browser.sign_in(response)
    code = dict(parse_qsl(urlsplit(response.headers["location"]).query))["code"]
    return await _token(
        http, "basic", grant_type="authorization_code", code=code, redirect_uri=APP, code_verifier=CODE_VERIFIER
    )


async def _token(http: httpx.AsyncClient, client_id: str, **form: str) -> dict[str, str]:
    response = await http.post("/token", data=form, headers=_basic(client_id))
    assert response.status_code == 200, response.text
    tokens: dict[str, str] = response.json()
    return tokens


def _basic(client_id: str) -> dict[str, str]:
    return {"Authorization": basic(client_id, secret_of(client_id))}


def _encode(value: object) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _changed(token: str) -> str:
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return ".".join([header, _encode(claims | {"sub": "somebody else"}), signature])


def _unsigned(token: str) -> str:
    return ".".join([_encode({"alg": "none", "typ": "at+jwt"}), token.split(".")[1], ""])


def _with_hmac(token: str, public_key: str) -> str:
    """Verifiers that take the algorithm from the header use the public key as the secret of HMAC (RFC 8725 §2.1)."""
    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    text = ".".join([_encode(header | {"alg": "HS256"}), token.split(".")[1]])
    return f"{text}.{_encode(hmac.digest(public_key.encode(), text.encode(), hashlib.sha256))}"
