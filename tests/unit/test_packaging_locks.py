"""The lock files: `make run` installs a subset of the packages of `make install`, without the test tools."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-demo.lock", "deploy/setup/requirements-uv.lock")


def pins(lock: str) -> dict[str, str]:
    """Version, environment marker and hashes as in the file, by package name."""
    text = re.sub(r"^ *#.*\n", "", (ROOT / lock).read_text(), flags=re.MULTILINE)
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    return {re.split(r"[=\[]", entry)[0]: entry.strip() for entry in entries}


def test_demo_lock_is_a_part_of_the_whole_lock() -> None:
    whole, demo = pins("requirements.lock"), pins("requirements-demo.lock")
    assert demo.items() <= whole.items()
    assert {"fastapi", "authlib", "setuptools"} <= demo.keys()


def test_demo_lock_has_no_test_tools_in_it() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    tools = {re.split(r"[^a-z0-9-]", entry.lower())[0] for entry in groups["dev"] if isinstance(entry, str)}
    tools.remove("tallystick")  # ours, named for its extras; the lock files leave it out
    assert {"pytest", "mypy", "ruff", "playwright"} <= tools <= pins("requirements.lock").keys()
    assert not (tools | {"django", "flask"}) & pins("requirements-demo.lock").keys()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes_and_no_index_is_named(lock: str) -> None:
    locked = pins(lock)
    assert locked
    assert all("--hash=sha256:" in entry for entry in locked.values())
    assert "://" not in (ROOT / lock).read_text()
