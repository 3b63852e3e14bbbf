"""Schemathesis over an OpenAPI document: whatever is sent, what comes back is documented, and never a 500."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

# A precondition that fails is no fault of the request, but Schemathesis knows only the statuses that any API answers.
ANSWERS = ["2xx", "3xx", 401, 403, 404, 409, 412, 429, 503]


def run_schemathesis(
    document_url: str, folder: Path, *, authorization: str, max_examples: int = 10, also: Sequence[int] = ()
) -> None:
    """Raises AssertionError with its report. Whatever it writes goes to `folder`.

    `also` are statuses that a request may get although it fits the schema.
    """
    config = folder / "schemathesis.toml"
    config.write_text(f"[checks.positive_data_acceptance]\nexpected-statuses = {[*ANSWERS, *also]}\n")
    schemathesis = str(Path(sys.executable).with_name("schemathesis"))
    command = [schemathesis, "--config-file", str(config), "run", document_url, "--no-color"]
    options = ["--header", f"Authorization: {authorization}", "--max-examples", str(max_examples)]
    ended = subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-2000:]
