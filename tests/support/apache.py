"""Apache with mod_auth_openidc as a relying party: a separate process of the test, not the system's service."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.declared import secret_of
from tests.support.front import POSTED_RP_HOST, RP_HOST, Front
from tests.support.patience import PATIENCE
from tests.support.processes import ROOT

FILES = ROOT / "tests" / "foreign" / "apache"
MODULES = Path("/usr/lib/apache2/modules")


@contextmanager
def running_apache(front: Front) -> Iterator[str]:
    """Run Apache during the block. Yields the origin at which it listens."""
    apache = shutil.which("apache2", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    assert apache, "there is no Apache; `make foreign` installs it"
    assert (MODULES / "mod_auth_openidc.so").exists(), "mod_auth_openidc is missing; `make foreign` installs it"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # started by root, Apache drops root's rights before it accepts connections
        shutil.copytree(FILES / "www", folder / "www")
        shutil.copy(front.files.ca, folder / "ca.pem")
        words = {
            "folder": folder,
            "certificates": front.others,
            "modules": MODULES,
            "user": "User www-data\nGroup www-data" if os.geteuid() == 0 else "",
            "name": RP_HOST,
            "posted_name": POSTED_RP_HOST,
            "port": front.rp_port,
            "issuer": front.issuer,
            "secret": secret_of("rp"),
        }
        text = (FILES / "apache.conf").read_text()
        (folder / "apache.conf").write_text(re.sub("@([a-z_]+)@", lambda word: str(words[word[1]]), text))
        with subprocess.Popen([apache, "-f", str(folder / "apache.conf"), "-DFOREGROUND"]) as process:
            try:
                _wait(front, process, folder / "error.log")
                yield front.rp
            finally:
                process.terminate()
                process.wait(PATIENCE)


def _wait(front: Front, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            httpx.get(f"https://localhost:{front.rp_port}/left.html", verify=False).raise_for_status()
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(log.read_text() if log.exists() else "Apache said nothing")
