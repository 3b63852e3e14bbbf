"""README.md, followed word by word: a newcomer gets what its sentences and commands say."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Page, Request

from deploy.demo.demo_files import APP_ONE, APP_TWO, DEFAULT_PORTS
from tests.browser.steps import expect_signed_in
from tests.support.demo import Demo
from tests.support.patience import PATIENCE
from tests.support.ports import free_ports
from tests.support.processes import ROOT
from tests.support.readme import README, blocks, browser_trace, commands, section

SENTENCES = """Open the first app, <{one}>, and press *Sign in*. Sign in as `{email}` with
`{password}`. Then open the second one, <{two}>: you are in."""


def as_in_readme(demo: Demo, url: str) -> str:
    """The text with the ports of `make run` instead of the test's ports; the hosts of apps have no port."""
    for ours, default in zip(demo.files.ports, DEFAULT_PORTS, strict=True):
        url = url.replace(f":{ours}", "" if default in (APP_ONE, APP_TWO) else f":{default}")
    return url


@pytest.mark.asyncio(loop_scope="session")
async def test_readme_sentences_about_the_two_apps_and_its_trace_are_correct(page: Page, demo: Demo) -> None:
    one, two = f"http://app-one.localhost:{APP_ONE}", f"http://app-two.localhost:{APP_TWO}"
    ada = demo.files.account
    assert SENTENCES.format(one=one, two=two, email=ada.email, password=ada.password) in README

    happened: list[tuple[str, str]] = []

    def note(request: Request) -> None:
        if request.is_navigation_request():
            url = urlsplit(as_in_readme(demo, request.url))
            verb = "303" if request.redirected_from else request.method
            happened.append((verb, f"{url.netloc}{url.path}"))

    page.on("request", note)
    await page.goto(demo.one)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_label("Email").fill(ada.email)
    await page.get_by_label("Password").fill(ada.password)
    await page.get_by_role("button", name="Sign in").click()
    await expect_signed_in(page, demo.one, ada)
    await page.goto(demo.two)
    await expect_signed_in(page, demo.two, ada)
    assert happened == browser_trace(section("What happens"))


class Newcomer:
    """Runs the commands of README.md on this demo: other ports, another folder, and this Python."""

    def __init__(self, demo: Demo) -> None:
        self._replace = {
            ".venv/bin/python": sys.executable,
            "deploy/demo/auth.toml": str(demo.files.auth_toml),
            "var/demo/": f"{demo.files.var}/demo/",
            "http://localhost:8000": demo.auth,
        }
        self._environment = os.environ | {"ISSUER": demo.auth, "API": demo.api}

    def also(self, words: str, replacement: str) -> None:
        self._replace[words] = replacement

    def adapted(self, command: str) -> str:
        words = re.compile("|".join(map(re.escape, self._replace)))
        return words.sub(lambda found: self._replace[found[0]], command)

    def run(self, *lines: str) -> str:
        """The output of the commands, which run one after the other in one shell."""
        script = "\n".join(["set -e", *map(self.adapted, lines)])
        done = subprocess.run(
            ["bash", "-c", script], cwd=ROOT, env=self._environment, capture_output=True, text=True, timeout=PATIENCE
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, command: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(["bash", "-c", f"exec {self.adapted(command)}"], cwd=ROOT, env=self._environment)


@pytest.fixture
def newcomer(demo: Demo) -> Iterator[Newcomer]:
    before = demo.files.auth_toml.read_text()
    yield Newcomer(demo)
    demo.files.auth_toml.write_text(before)


def test_readme_commands_run_declare_and_call_an_api(newcomer: Newcomer, demo: Demo, tmp_path: Path) -> None:
    text = section("Protect your own API in three lines")
    run, declare, get_token, call = commands(text)
    (code,) = blocks("python", text)
    assert code in (ROOT / "examples/hello_api.py").read_text(), "README.md shows another program than it runs"

    (port,) = free_ports(1)
    for original in ("hello_api.py", "hello_api.toml"):
        here = (
            (ROOT / "examples" / original)
            .read_text()
            .replace(":8100", f":{port}")
            .replace(":8000", f":{demo.files.ports[0]}")
        )
        (tmp_path / original).write_text(here)
    newcomer.also("examples/hello_api.toml", str(tmp_path / "hello_api.toml"))
    newcomer.also("examples.hello_api:app", f"hello_api:app --app-dir {tmp_path}")
    newcomer.also("8100", str(port))

    with newcomer.start(run) as api:
        try:
            answers_at(f"http://localhost:{port}/hello")
            newcomer.run(declare)
            answered = newcomer.run(get_token, call)
        finally:
            api.terminate()
    assert answered.startswith("HTTP/1.1 200 OK")
    assert "Hello, hello-bot!" in answered


def answers_at(url: str) -> None:
    """Returns once the API answers, as it must without a token: with the challenge of RFC 6750."""
    give_up_at = time.monotonic() + PATIENCE
    while True:
        try:
            answer = httpx.get(url, trust_env=False)
            assert answer.headers["www-authenticate"].startswith("Bearer resource_metadata=")
            return
        except httpx.TransportError:
            assert time.monotonic() < give_up_at, f"nothing answers at {url}"
            time.sleep(0.1)


def test_readme_commands_register_an_app_and_run_the_bot(newcomer: Newcomer, demo: Demo) -> None:
    text = section("Register your own app")
    make_secret, plan, apply, run_bot = commands(text)
    (declaration,) = blocks("toml", text)
    with demo.files.auth_toml.open("a") as config:
        config.write(newcomer.adapted(declaration))
    assert "create client my-app" in newcomer.run(make_secret, plan)
    assert "create client my-app" in newcomer.run(apply)
    assert newcomer.run(plan) == "nothing to change\n"
    assert re.search("^notes-bot wrote: ", newcomer.run(run_bot), re.MULTILINE)
