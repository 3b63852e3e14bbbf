"""What the measurements of verified requests share: an issuer, its tokens, and how contenders take turns.

Each framework has a module, `python -m bench.verified_… same|new ROUNDS SECONDS`: the same token with each request, or
another one. It serves the requests in this process, without a server, and prints the samples as JSON. All tokens are
signed before the measurement.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import cycle
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from bench.figures import Sample, interleaved
from bench.services import AUDIENCE
from tallystick.jwk import public_jwk, thumbprint_of

ISSUER = "https://id.example.com"
SECRET = "a secret for this measurement only, of more than 32 bytes"
TOKENS = 6000
"""More than fit into the cache of verified tokens, so that with `new` no token is found there."""

OURS, BARE = "ours", "no check"

_key = ec.generate_private_key(ec.SECP256R1())
_kid = thumbprint_of(_key.public_key())
PUBLIC_KEY = _key.public_key()
KEYS = {"keys": [public_jwk(PUBLIC_KEY, kid=_kid, alg="ES256")]}


def _answer(request: httpx.Request) -> httpx.Response:
    if "/.well-known/" in request.url.path:
        return httpx.Response(200, json={"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"})
    return httpx.Response(200, json=KEYS)


ISSUER_TRANSPORT = httpx.MockTransport(_answer)
"""For a verifier's option `transport`."""


def tokens(algorithm: str, count: int) -> list[str]:
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "user-1",
        "client_id": "app-one",
        "scope": "notes:read",
    }
    claims |= {"iat": now, "exp": now + 3600, "token_type": "access", "user_id": "user-1"}
    key: Any = _key if algorithm == "ES256" else SECRET
    headers = {"typ": "at+jwt", "kid": _kid}
    return [
        jwt.encode(claims | {"jti": f"token-{number}"}, key, algorithm=algorithm, headers=headers)
        for number in range(count)
    ]


Serve = Callable[[Iterable[str]], None]
"""Serves one request with each of the tokens."""


def serve(call: Callable[[str], int]) -> Serve:
    """`call` serves one request with the token, and returns the status."""

    def serve_all(presented: Iterable[str]) -> None:
        for token in presented:
            _require_ok(call(token))

    return serve_all


def serve_on_loop(runner: asyncio.Runner, call: Callable[[str], Coroutine[Any, Any, int]]) -> Serve:
    """As `serve`, with a task for each request, as in a server."""

    async def serve_all(presented: Iterable[str]) -> None:
        for token in presented:
            _require_ok(await asyncio.create_task(call(token)))

    return lambda presented: runner.run(serve_all(presented))


def _require_ok(status: int) -> None:
    if status != 200:
        raise SystemExit(f"the request was refused with {status}")


class _Turn:
    """Tokens until `seconds` have passed. After them, `sample` has their count and the times."""

    def __init__(self, presented: Iterator[str], seconds: float) -> None:
        self._presented = presented
        self._seconds = seconds

    def __iter__(self) -> Iterator[str]:
        count, cpu, begin = 0, time.process_time(), time.perf_counter()
        while (elapsed := time.perf_counter() - begin) < self._seconds:
            yield next(self._presented)
            count += 1
        self.sample = Sample(count, elapsed, time.process_time() - cpu)


def measure(contenders: Mapping[str, Serve], *, hmac: str | None = None) -> None:
    """Measure as the command line says, and print the samples. The contender named `hmac` gets tokens with HS256."""
    mode, rounds, seconds = sys.argv[1:]
    count = 1 if mode == "same" else TOKENS
    signed = {algorithm: tokens(algorithm, count) for algorithm in (("ES256", "HS256") if hmac else ("ES256",))}

    def contender(name: str, serve_all: Serve) -> Callable[[], Sample]:
        presented = cycle(signed["HS256" if name == hmac else "ES256"])

        def contend() -> Sample:
            turn = _Turn(presented, float(seconds))
            serve_all(turn)
            return turn.sample

        return contend

    samples = interleaved({name: contender(name, each) for name, each in contenders.items()}, rounds=int(rounds))
    print(json.dumps({name: [asdict(sample) for sample in each] for name, each in samples.items()}))
