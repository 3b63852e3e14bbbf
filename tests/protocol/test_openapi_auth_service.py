"""The auth service's endpoints answer generated requests as its OpenAPI document describes."""

import subprocess
from base64 import b64encode
from pathlib import Path

import pytest

from tests.support.openapi_conformance import run_schemathesis
from tests.support.processes import port_of, running

SECRET = "a client_secret of at least 32 characters"
CONFIG = """
issuer = "http://localhost:8000"
database_url = "sqlite:///{folder}/auth.db"
master_key = "file:{folder}/master.key"

[[api]]
audience = "http://localhost:8001"
name = "Notes"
scopes = {{ "notes:read" = "Read your notes" }}

[[client]]
client_id = "bot"
client_secret = "{secret}"
grant_types = ["client_credentials"]
scope = "notes:read"
"""


@pytest.mark.parametrize(
    "authorization", [f"Basic {b64encode(f'bot:{SECRET}'.replace(' ', '+').encode()).decode()}", "Bearer e30.e30.e30"]
)
def test_every_response_is_documented_and_none_is_a_500(tmp_path: Path, authorization: str) -> None:
    config = tmp_path / "tallystick.toml"
    config.write_text(CONFIG.format(folder=tmp_path, secret=SECRET))
    with running("auth_service", "serve", "--config", str(config), "--port", "0", stderr=subprocess.DEVNULL) as process:
        document_url = f"http://127.0.0.1:{port_of(process)}/openapi.json"
        # A schema cannot describe valid codes and tokens, so 400 is an expected response.
        run_schemathesis(
            document_url, tmp_path, authorization=authorization, also=[400], without_coverage=["/authorize", "/logout"]
        )
