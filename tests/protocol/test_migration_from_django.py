"""The way of docs/migration.md, from a real Django project: import, sign in with the old password, both tokens."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from auth_service.store.users import users
from auth_service.user_import.importer import Importer, Reported
from auth_service.user_import.records import RecordReader, check_columns
from auth_service.user_import.rows import read_rows
from tests.support.auth_service import AuthService
from tests.support.declared import NOTES, PASSWORD

ROOT = Path(__file__).parents[2]
LAST = int(datetime(2027, 6, 30, 23, 59, 59, tzinfo=UTC).timestamp())


@dataclass
class DjangoProject:
    process: "subprocess.Popen[str]"

    def ask(self, question: object) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture(params=["simplejwt", "oauth_toolkit"])
def project(request: pytest.FixtureRequest) -> Iterator[DjangoProject]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.django_projects", request.param],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:  # closes standard input, which ends the program
        yield DjangoProject(process)
    assert process.returncode == 0


async def test_users_sign_in_with_the_old_password_and_the_api_accepts_both_tokens(
    project: DjangoProject, auth: AuthService, tmp_path: Path
) -> None:
    old = await asyncio.to_thread(project.ask, "dump")
    file, reports = tmp_path / "users.json", list[Reported]()
    file.write_text(old["dump"])

    with file.open("rb") as source:
        importer = Importer(auth.store, auth.clock, dry_run=False, report=reports.append)
        await importer.run(read_rows(source, lambda columns: check_columns(columns, [])), RecordReader())
    sub_of = {report.old_id: report.sub for report in reports}
    assert [report.result for report in reports] == ["added"] * 6 + ["refused"]
    assert importer.totals.roles == {"editors": 5}

    tokens, sub = dict[str, str](), ""
    for email, old_id in old["users"].items():
        key = users.email_key(email)
        before = await auth.store.read(users.find_credentials, key)
        app = auth.relying_party("app-one")
        await app.browser.sign_in(username=email, password=PASSWORD)
        tokens = (await app.token(await app.authorization_code())).json()
        after = await auth.store.read(users.find_credentials, key)
        assert before is not None
        assert after is not None
        sub = before.sub
        assert sub == sub_of[old_id]
        assert before.password_hash != after.password_hash
        assert (after.password_hash or "").startswith("$argon2id$"), email

    jwks = (await auth.http().get("/jwks")).text
    new, now = tokens["access_token"], auth.clock()
    assert project.ask([new, now, jwks]) == [200, {"kind": "AccessTokenClaims", "sub": sub}]
    status, body = project.ask([old["token"], LAST, jwks])
    assert (status, body["sub"]) == (200, old["users"]["pbkdf2@example.com"])
    assert body["kind"] != "AccessTokenClaims"
    assert project.ask([old["token"], LAST + 1, jwks])[0] == 401
    assert project.ask([new + "x", now, jwks])[0] == 401
    assert NOTES == "https://api.example.com"
