"""APIs in other languages verify our access tokens: Node.js (jose), Go and Java (docs/apis_in_other_languages.md).

Go and Java run when the environment variable TOOLCHAINS is set: they download libraries and compile for a minute.
"""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.support.front import NODE, Front
from tests.support.patience import PATIENCE
from tests.support.ports import free_ports
from tests.support.processes import ROOT
from tests.support.verifier_tokens import ACCEPTED, VerifierTokens, is_on_the_status_list, issue_tokens
from tests.support.waiting import until_it_is

pytestmark = pytest.mark.asyncio(loop_scope="session")

FOREIGN = ROOT / "tests" / "foreign"
BUILD_TIMEOUT = 900

Verdicts = dict[str, dict[str, str]]


def needs(program: str) -> pytest.MarkDecorator:
    is_missing = shutil.which(program) is None
    reason = f"{program} is not installed" if is_missing else "TOOLCHAINS is not set"
    return pytest.mark.skipif(is_missing or not os.environ.get("TOOLCHAINS"), reason=reason)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def issued(front: Front) -> tuple[VerifierTokens, str]:
    return await issue_tokens(front)


def verdicts(front: Front, *command: object) -> Verdicts:
    """The verdicts of a program about the tokens of the file that its last argument names."""
    trust = {"NODE_EXTRA_CA_CERTS": str(front.files.ca), "SSL_CERT_FILE": str(front.files.ca)}
    words = [str(word) for word in command]
    done = subprocess.run(words, env=os.environ | trust, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    found: Verdicts = json.loads(done.stdout)
    return found


def expected(tokens: VerifierTokens, *, accepted: set[str]) -> dict[str, str]:
    return {kind: "accepted" if kind in accepted else "refused" for kind in tokens.tokens}


async def test_jose_accepts_valid_tokens_and_learns_of_a_revocation(
    front: Front, issued: tuple[VerifierTokens, str], tmp_path: Path
) -> None:
    tokens, _ = issued
    file = tokens.save(tmp_path / "tokens.json")
    async with front.http() as http:
        await until_it_is(partial(is_on_the_status_list, http, tokens.tokens["revoked"]))
    assert verdicts(front, "node", NODE / "api.js", file)["jose"] == expected(tokens, accepted=ACCEPTED)


async def test_jose_refuses_an_id_token_for_its_own_audience(
    front: Front, issued: tuple[VerifierTokens, str], tmp_path: Path
) -> None:
    tokens, _ = issued
    file = tokens.save(tmp_path / "tokens.json", audience="basic")
    assert verdicts(front, "node", NODE / "api.js", file)["jose"] == expected(tokens, accepted=set())


@needs("go")
async def test_go_accepts_valid_tokens_and_does_not_learn_of_a_revocation(
    front: Front, issued: tuple[VerifierTokens, str], tmp_path: Path
) -> None:
    tokens, _ = issued
    program = tmp_path / "verify"
    build(["go", "build", "-o", str(program), "."], FOREIGN / "go")
    for found in verdicts(front, program, tokens.save(tmp_path / "tokens.json")).values():
        assert found == expected(tokens, accepted=ACCEPTED | {"revoked"})
    for found in verdicts(front, program, tokens.save(tmp_path / "tokens.json", audience="basic")).values():
        assert found == expected(tokens, accepted=set())


@needs("mvn")
async def test_spring_accepts_valid_tokens_and_does_not_learn_of_a_revocation(
    front: Front, issued: tuple[VerifierTokens, str], tmp_path: Path
) -> None:
    tokens, _ = issued
    folder = shutil.copytree(FOREIGN / "spring", tmp_path / "spring")
    build(["mvn", "-q", "-B", "package"], folder)
    trust = ["-storepass", "changeit", "-storetype", "PKCS12", "-keystore", str(tmp_path / "trust.p12")]
    build(["keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", str(front.files.ca), *trust], tmp_path)
    jar, prefix = folder / "target" / "spring-api-1.jar", "spring.security.oauth2.resourceserver.jwt"
    properties = {"issuer-uri": tokens.issuer, "audiences": tokens.audience, "jws-algorithms": "ES256"}
    for options, accepted in (
        ({"own-decoder": "true", "issuer": tokens.issuer, "audience": tokens.audience}, ACCEPTED | {"revoked"}),
        ({f"{prefix}.{name}": value for name, value in properties.items()}, set()),  # it refuses the typ at+jwt
    ):
        with spring(jar, tmp_path / "trust.p12", options) as url:
            found = await spring_verdicts(url, tokens)
        assert found == {kind: 200 if kind in accepted else 401 for kind in tokens.tokens}


def build(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=BUILD_TIMEOUT)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def spring(jar: Path, trust: Path, options: dict[str, str]) -> Iterator[str]:
    (port,) = free_ports(1)
    command = ["java", f"-Djavax.net.ssl.trustStore={trust}", "-Djavax.net.ssl.trustStorePassword=changeit", "-jar"]
    words = [*command, str(jar), f"--server.port={port}", *(f"--{name}={value}" for name, value in options.items())]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}/notes"
    finally:
        process.kill()
        process.wait()


async def spring_verdicts(url: str, tokens: VerifierTokens) -> dict[str, int]:
    async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as http:
        while True:
            try:
                await http.get(url)
                break
            except httpx.TransportError:  # it does not listen yet
                await asyncio.sleep(0.5)
        return {
            kind: (await http.get(url, headers={"Authorization": f"Bearer {token}"})).status_code
            for kind, token in tokens.tokens.items()
        }
