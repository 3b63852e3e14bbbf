"""Good and hostile requests, and the answer that every adapter gives (RFC 6750, RFC 9470, RFC 9728)."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support.adapters.exchange import Answer, Headers
from tests.support.clock import MovableClock
from tests.support.token_issuer import ABSENT, AUDIENCE, ISSUER, TokenIssuer, jws, new_signing_key, status

METADATA = f"{AUDIENCE}/.well-known/oauth-protected-resource"
NO_TOKEN: tuple[int, dict[str, str]] = (401, {})
MALFORMED = (401, {"error": "invalid_token"})
TWICE = (400, {"error": "invalid_request"})
REVOKED_INDEX = 5


@dataclass(frozen=True)
class Case:
    """A GET request. `expected`: the status with the parameters of the challenge, or the claims."""

    name: str
    path: str
    headers: Callable[[TokenIssuer], Headers]
    expected: tuple[int, dict[str, str]] | dict[str, Any]


def bearer(**changes: object) -> Callable[[TokenIssuer], Headers]:
    """A token of the issuer with changed claims."""
    return lambda issuer: [("Authorization", f"Bearer {issuer.access_token(**changes)}")]


def raw(*values: str | bytes) -> Callable[[TokenIssuer], Headers]:
    """These Authorization headers."""
    return lambda _: [("Authorization", value) for value in values]


def shaped(shape: str) -> Callable[[TokenIssuer], Headers]:
    """One Authorization header, in which `{}` is a valid token."""
    return lambda issuer: [("Authorization", shape.format(issuer.access_token()))]


def signed(header: dict[str, object] | None = None, *, payload: str | None = None) -> Callable[[TokenIssuer], Headers]:
    """A token with a changed header or another payload, signed with the issuer's key."""

    def headers(issuer: TokenIssuer) -> Headers:
        text = json.dumps(issuer.claims()) if payload is None else payload
        return [("Authorization", f"Bearer {jws(json.dumps(issuer.header(**(header or {}))), text, issuer.key)}")]

    return headers


def forged(issuer: TokenIssuer) -> Headers:
    """A token with the issuer's `kid`, signed with another key."""
    return [
        ("Authorization", f"Bearer {jws(json.dumps(issuer.header()), json.dumps(issuer.claims()), new_signing_key())}")
    ]


def changed_signature(issuer: TokenIssuer) -> Headers:
    token = issuer.access_token()
    return [("Authorization", f"Bearer {token[:-4]}{'AAAA' if token[-4:] != 'AAAA' else 'BBBB'}")]


def stepped_up(**parameters: str) -> tuple[int, dict[str, str]]:
    return 401, {"error": "insufficient_user_authentication", **parameters}


def needs(scope: str) -> tuple[int, dict[str, str]]:
    return 403, {"error": "insufficient_scope", "scope": scope}


def seconds_ago(seconds: int, **changes: object) -> Callable[[TokenIssuer], Headers]:
    """A token of a login so many seconds ago."""
    return lambda issuer: bearer(auth_time=issuer.clock.now - seconds, **changes)(issuer)


def relative(**changes: int) -> Callable[[TokenIssuer], Headers]:
    """A token with times relative to now."""
    return lambda issuer: bearer(**{name: issuer.clock.now + value for name, value in changes.items()})(issuer)


GOOD = {"sub": "user-1", "client_id": "app-one", "scope": "notes:read"}

CASES = [
    # Accepted.
    Case("any token", "/any", bearer(), GOOD),
    Case("the required scope", "/notes", bearer(), GOOD),
    Case("one of several scopes", "/notes", bearer(scope="a notes:read b"), {**GOOD, "scope": "a notes:read b"}),
    Case("no scope is required", "/any", bearer(scope=ABSENT), {"sub": "user-1", "client_id": "app-one", "scope": ""}),
    Case("several audiences", "/any", bearer(aud=["https://other.example", AUDIENCE]), GOOD),
    Case("unknown claims", "/any", bearer(color="blue"), GOOD),
    Case("lower-case scheme", "/any", shaped("bearer {}"), GOOD),
    Case("upper-case scheme", "/any", shaped("BEARER {}"), GOOD),
    Case("several spaces", "/any", shaped("Bearer   {}"), GOOD),
    Case("spaces after the token", "/any", shaped("Bearer {}  "), GOOD),
    Case("non-ASCII sub", "/any", bearer(sub="jürgen"), {**GOOD, "sub": "jürgen"}),
    Case("a status that is valid", "/any", bearer(status=status(1)), GOOD),
    Case("within the leeway", "/any", relative(exp=-30), GOOD),
    Case("typ with application/", "/any", signed({"typ": "application/at+jwt"}), GOOD),
    # No token.
    Case("no header", "/notes", lambda _: [], NO_TOKEN),
    Case("no header, no scope required", "/any", lambda _: [], NO_TOKEN),
    Case("empty header", "/any", raw(""), NO_TOKEN),
    Case("another scheme", "/any", raw("Basic dXNlcjpwYXNz"), NO_TOKEN),
    Case("DPoP is another scheme", "/any", shaped("DPoP {}"), NO_TOKEN),
    Case("the token without a scheme", "/any", shaped("{}"), NO_TOKEN),
    Case("scheme with a suffix", "/any", shaped("Bearers {}"), NO_TOKEN),
    Case("a token in another header", "/any", lambda i: [("X-Authorization", f"Bearer {i.access_token()}")], NO_TOKEN),
    # Malformed requests.
    Case("two tokens", "/any", lambda i: bearer()(i) * 2, TWICE),
    Case("two different tokens", "/any", lambda i: [*bearer()(i), *bearer(sub="user-2")(i)], TWICE),
    Case("two tokens in one header", "/any", shaped("Bearer {0},Bearer {0}"), TWICE),
    Case("scheme without a token", "/any", raw("Bearer"), MALFORMED),
    Case("scheme and spaces", "/any", raw("Bearer  "), MALFORMED),
    Case("not a JWS", "/any", raw("Bearer abc"), MALFORMED),
    Case("two parts", "/any", raw("Bearer a.b"), MALFORMED),
    Case("five parts", "/any", raw("Bearer a.b.c.d.e"), MALFORMED),
    Case("empty parts", "/any", raw("Bearer .."), MALFORMED),
    Case("space in the token", "/any", shaped("Bearer {} x"), MALFORMED),
    Case("tab in the token", "/any", shaped("Bearer \t{}"), MALFORMED),
    Case("Latin-1 in the token", "/any", raw("Bearer abc.déf.ghi".encode("latin-1")), MALFORMED),
    Case("UTF-8 in the token", "/any", raw("Bearer abc.d✓f.ghi".encode()), MALFORMED),
    Case("a large token", "/any", raw("Bearer " + "a" * 20_000), MALFORMED),
    Case("padding", "/any", shaped("Bearer {}="), MALFORMED),
    Case("quotes and backslashes", "/any", raw('Bearer "\\", error="none"'.replace(",", ";")), MALFORMED),
    # Refused tokens.
    Case("signed by another key", "/any", forged, MALFORMED),
    Case("changed signature", "/any", changed_signature, MALFORMED),
    Case("unknown key", "/any", signed({"kid": "other"}), MALFORMED),
    Case("no key id", "/any", signed({"kid": ABSENT}), MALFORMED),
    Case("alg none", "/any", signed({"alg": "none"}), MALFORMED),
    Case("alg HS256", "/any", signed({"alg": "HS256"}), MALFORMED),
    Case("an ID token", "/any", signed({"typ": "JWT"}), MALFORMED),
    Case("no typ", "/any", signed({"typ": ABSENT}), MALFORMED),
    Case("crit", "/any", signed({"crit": ["exp"]}), MALFORMED),
    Case("a key in the header", "/any", signed({"jwk": {"kty": "EC"}, "kid": "x"}), MALFORMED),
    Case("payload is a list", "/any", signed(payload="[]"), MALFORMED),
    Case("payload is not JSON", "/any", signed(payload="{"), MALFORMED),
    Case("repeated member", "/any", signed(payload='{"sub":"a","sub":"b"}'), MALFORMED),
    Case("deep nesting", "/any", signed(payload="[" * 3000), MALFORMED),
    Case("lone surrogate", "/any", signed(payload='{"sub":"\\ud800"}'), MALFORMED),
    Case("another issuer", "/any", bearer(iss="https://evil.example"), MALFORMED),
    Case("issuer with a slash", "/any", bearer(iss=ISSUER + "/"), MALFORMED),
    Case("another audience", "/any", bearer(aud="https://other.example"), MALFORMED),
    Case("no audience", "/any", bearer(aud=ABSENT), MALFORMED),
    Case("no subject", "/any", bearer(sub=ABSENT), MALFORMED),
    Case("subject is a number", "/any", bearer(sub=7), MALFORMED),
    Case("subject with a line break", "/any", bearer(sub="a\nb"), MALFORMED),
    Case("expired", "/any", relative(exp=-61), MALFORMED),
    Case("exp is text", "/any", bearer(exp="never"), MALFORMED),
    Case("exp is huge", "/any", signed(payload='{"exp":1e999}'), MALFORMED),
    Case("issued in the future", "/any", relative(iat=61), MALFORMED),
    Case("not valid yet", "/any", relative(nbf=61), MALFORMED),
    Case("revoked", "/any", bearer(status=status(REVOKED_INDEX)), MALFORMED),
    Case("a list of another origin", "/any", bearer(status=status(1, "https://evil.example/list")), MALFORMED),
    Case("status is malformed", "/any", bearer(status={"status_list": {"idx": -1}}), MALFORMED),
    # Scopes.
    Case("missing scope", "/write", bearer(), needs("notes:read notes:write")),
    Case("no scope", "/notes", bearer(scope=ABSENT), needs("notes:read")),
    Case("scope as a prefix", "/notes", bearer(scope="notes:reader"), needs("notes:read")),
    Case("revoked comes before scope", "/write", bearer(status=status(REVOKED_INDEX)), MALFORMED),
    # Step-up (RFC 9470).
    Case("a recent login", "/recent", seconds_ago(299), {**GOOD, "auth_time": -299}),
    Case("an old login", "/recent", seconds_ago(301), stepped_up(max_age="300")),
    Case("no login", "/recent", bearer(), stepped_up(max_age="300")),
    Case("a login in the future", "/recent", seconds_ago(-61), stepped_up(max_age="300")),
    Case("the preferred acr", "/strong", bearer(acr="phr"), {**GOOD, "acr": "phr"}),
    Case("another listed acr", "/strong", bearer(acr="mfa"), {**GOOD, "acr": "mfa"}),
    Case("an acr that is not listed", "/strong", bearer(acr="pwd"), stepped_up(acr_values="phr mfa")),
    Case("no acr", "/strong", bearer(), stepped_up(acr_values="phr mfa")),
    Case("scope comes before step-up", "/strict", bearer(scope="x"), needs("notes:read")),
    Case("both step-up parameters", "/strict", bearer(), stepped_up(max_age="60", acr_values="mfa")),
]  # fmt: skip


def issuer_of_cases(clock: MovableClock | None = None) -> TokenIssuer:
    """An issuer with a status list, on which REVOKED_INDEX is revoked."""
    issuer = TokenIssuer(clock or MovableClock())
    issuer.publish_list().revoke(REVOKED_INDEX)
    return issuer


def summary(answer: Answer, issuer: TokenIssuer) -> object:
    """The answer in the form of `Case.expected`, after the checks that hold for every answer."""
    if answer.claims is not None:
        claims = dict(answer.claims)
        if "auth_time" in claims:
            claims["auth_time"] -= issuer.clock.now
        return claims
    assert answer.cache_control == "no-store"
    assert answer.challenge is not None
    parameters = parsed(answer.challenge)
    assert parameters.pop("resource_metadata") == METADATA
    if "error" in parameters:
        assert parameters.pop("error_description")
    return answer.status, parameters


def parsed(challenge: str) -> dict[str, str]:
    """The parameters of one Bearer challenge, which must be well-formed (RFC 9110 §11.6.1)."""
    assert re.fullmatch(r'Bearer [a-z_]+="[^"]*"(, [a-z_]+="[^"]*")*', challenge)
    parameters = re.findall(r'([a-z_]+)="([^"]*)"', challenge)
    assert len(dict(parameters)) == len(parameters), challenge
    return dict(parameters)
