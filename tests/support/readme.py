"""Parses README.md for tests: its sections, its code blocks, and its trace of requests."""

import re
from pathlib import Path

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def section(title: str) -> str:
    """The text under a heading of the second level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.DOTALL | re.MULTILINE)
    assert found is not None, f"README.md has no section {title}"
    return found[1]


def blocks(language: str, text: str) -> list[str]:
    """The contents of the code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def commands(text: str) -> list[str]:
    """The command lines of all console blocks."""
    return [line.removeprefix("$ ") for block in blocks("console", text) for line in block.splitlines()]


def browser_trace(text: str) -> list[tuple[str, str]]:
    """The requests of the browser, as ("GET", "POST", or "303" after a redirect; host and path)."""
    actor = ""
    steps = []
    for line in "".join(blocks("text", text)).splitlines():
        actor = line[:11].strip() or actor
        verb, _, rest = line[11:].partition(" ")
        if actor == "browser" and verb in ("GET", "POST", "303"):
            steps.append((verb, rest.split()[0]))
    return steps
