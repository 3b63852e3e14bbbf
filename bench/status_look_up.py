"""The cost of the status check for a token in the verifier's cache: `python -m bench.status_look_up`.

In this process, without HTTP: `AsyncVerifier.verify` of a cached token with a status and of one without a status, in
alternating rounds. The list is that of five million valid tokens, of which one in a thousand is revoked. The time to
verify and parse such a list is printed, too.
"""

import asyncio
import json
import random
import zlib
from statistics import median
from time import perf_counter, time

import httpx
from cryptography.hazmat.primitives.asymmetric import ec

from tallystick import base64url
from tallystick.jwk import SigningKey, public_jwk, thumbprint_of
from tallystick.jwt import sign
from tallystick.status_list import parse_status_list
from tallystick.verifier import AsyncVerifier

ISSUER, AUDIENCE, URI = "https://id.example.com", "https://api.example.com", "https://id.example.com/status-lists/1"
TOKENS = 5_000_000
SIZE = 2**23  # bits: the power of two above TOKENS
ROUNDS, CALLS = 15, 20_000


async def main() -> None:
    private_key = ec.generate_private_key(ec.SECP256R1())
    key = SigningKey(thumbprint_of(private_key.public_key()), "ES256", private_key)
    now = int(time())
    statuses = bytearray(SIZE // 8)
    chance = random.Random(1)
    for _ in range(TOKENS // 1000):
        idx = chance.randrange(1, SIZE)
        statuses[idx // 8] |= 1 << idx % 8
    lst = base64url.encode(zlib.compress(bytes(statuses)))
    token = sign(
        {"sub": URI, "iat": now, "exp": now + 600, "status_list": {"bits": 1, "lst": lst}}, key, typ="statuslist+jwt"
    )
    print(f"a list of {SIZE:,} bits, {TOKENS // 1000:,} set: {len(token):,} bytes on the wire, {SIZE // 8:,} in memory")
    begin = perf_counter()
    parse_status_list(token, uri=URI, key=key.public, now=now)
    print(f"to verify and parse: {1000 * (perf_counter() - begin):.1f} ms, in a thread")

    jwks = json.dumps({"keys": [public_jwk(key.public.key, kid=key.kid, alg=key.alg)]})
    metadata = json.dumps({"issuer": ISSUER})

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content={"/keys": jwks, "/status-lists/1": token}.get(request.url.path, metadata))

    for policy in ("serve_until_exp", "fail_closed"):
        verifier = AsyncVerifier(
            ISSUER,
            AUDIENCE,
            jwks_uri=f"{ISSUER}/keys",
            transport=httpx.MockTransport(answer),
            status_policy=policy,
        )
        claims = {"iss": ISSUER, "sub": "user-1", "aud": AUDIENCE, "client_id": "app", "jti": "1", "iat": now}
        claims |= {"exp": now + 600, "scope": "notes:read"}
        plain = sign(claims, key, typ="at+jwt")
        status = {"status_list": {"idx": 0, "uri": URI}}
        with_status = sign(claims | {"status": status}, key, typ="at+jwt")
        padded = sign(claims | {"state_": status}, key, typ="at+jwt")  # of the same length as the one with a status
        for one in (plain, padded, with_status):
            assert await verifier.verify(one) is await verifier.verify(one)
        costs: dict[str, list[float]] = {"without a status": [], "same length, without": [], "with a status": []}
        for _ in range(ROUNDS):
            for name, one in zip(costs, (plain, padded, with_status), strict=True):
                begin = perf_counter()
                for _ in range(CALLS):
                    await verifier.verify(one)
                costs[name].append(1e6 * (perf_counter() - begin) / CALLS)
        print(f"\nverify of a cached token, µs, median of {ROUNDS} rounds of {CALLS:,}; {policy}")
        for name, values in costs.items():
            ratio = median(value / base for value, base in zip(values, costs["same length, without"], strict=True))
            print(f"  {name:22} {median(values):.2f}   {ratio:.2f}×")
        await verifier.aclose()


if __name__ == "__main__":
    asyncio.run(main())
