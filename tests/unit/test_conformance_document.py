"""docs/conformance.md names tests: each of them is there, and none of the conformance tests is left out."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEST = re.compile(r"^async def (test_\w+)|^def (test_\w+)", re.MULTILINE)


def _tests_there() -> set[str]:
    files = (ROOT / "tests" / "conformance").glob("test_*.py")
    return {f"{file.name}::{name or other}" for file in files for name, other in TEST.findall(file.read_text("utf-8"))}


def _tests_named() -> set[str]:
    """A table's heading may name the file, and its rows the tests."""
    named, file = set(), ""
    for line in (ROOT / "docs" / "conformance.md").read_text("utf-8").splitlines():
        if heading := re.search(r"proven by `(test_\w+\.py)::`", line):
            file = heading[1]
        elif line.startswith("#"):
            file = ""
        for whole in re.findall(r"`(test_\w+\.py::test_\w+)`", line):
            named.add(whole)
        for name in re.findall(r"`(test_\w+)`", line):
            named.add(f"{file}::{name}")
    return named


def test_every_test_that_it_names_is_there() -> None:
    assert _tests_named() - _tests_there() == set()


def test_it_names_every_test_there_is() -> None:
    assert _tests_there() - _tests_named() == set()
