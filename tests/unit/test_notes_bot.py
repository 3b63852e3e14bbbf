"""examples/notes_bot without an issuer."""

import os
import subprocess
import sys


def test_failure_is_printed_once() -> None:
    environment = {**os.environ, "ISSUER": "http://127.0.0.1:1", "API": "http://127.0.0.1:1", "CLIENT_SECRET": "x" * 32}
    command = [sys.executable, "-m", "examples.notes_bot"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("notes_bot: ")
