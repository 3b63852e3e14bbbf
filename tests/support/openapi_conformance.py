"""Schemathesis over an OpenAPI document: every response is documented, and none is a 500."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

# A failed precondition is not an invalid request. Schemathesis does not know this, so the status is added here.
ANSWERS = ["2xx", "3xx", 401, 403, 404, 409, 412, 429, 503]


def run_schemathesis(
    document_url: str,
    folder: Path,
    *,
    authorization: str,
    max_examples: int = 10,
    also: Sequence[int] = (),
    without_coverage: Sequence[str] = (),
) -> None:
    """Run Schemathesis, which writes its files to `folder`. Raises AssertionError with its report.

    `also` are statuses that a request may get although it matches the schema. `without_coverage` are paths that
    answer POST, too, though only GET is documented: they are fuzzed only.
    """
    config = folder / "schemathesis.toml"
    # A fixed rate, because by default Schemathesis waits as long as each 429 says.
    rate = 'rate-limit = "100000/s"'
    lines = [rate, "[checks.positive_data_acceptance]", f"expected-statuses = {[*ANSWERS, *also]}"]
    for path in without_coverage:
        lines += ["[[operations]]", f'include-path = "{path}"', rate, "phases.coverage.enabled = false"]
    config.write_text("\n".join(lines) + "\n")
    schemathesis = str(Path(sys.executable).with_name("schemathesis"))
    command = [schemathesis, "--config-file", str(config), "run", document_url, "--no-color"]
    options = ["--header", f"Authorization: {authorization}", "--max-examples", str(max_examples)]
    ended = subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-2000:]
