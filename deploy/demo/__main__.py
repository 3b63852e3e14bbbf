"""`make run`, or `python -m deploy.demo`, from the root of the checkout."""

import argparse
import sys
from pathlib import Path

from deploy.demo.demo_files import DEFAULT_PORTS, DemoFiles
from deploy.demo.servers import ONE, TWO, api_url, auth_url, demo_servers
from deploy.local.supervisor import Server, run


def main() -> int:
    files = _demo_files()

    def prepare() -> list[Server]:
        files.prepare()
        return demo_servers(files)

    return run(prepare, lambda: _welcome(files), name="demo", logs=files.logs)


def _demo_files() -> DemoFiles:
    parser = argparse.ArgumentParser(prog="python -m deploy.demo", description="Start the whole demo on this machine.")
    parser.add_argument(
        "--ports",
        default=",".join(map(str, DEFAULT_PORTS)),
        metavar="AUTH,API,ONE,TWO",
        help="of the auth service, the notes API and the two apps (%(default)s)",
    )
    parser.add_argument("--var", default="var", type=Path, help="the folder for its data (%(default)s)")
    arguments = parser.parse_args()
    try:
        ports = tuple(int(port) for port in arguments.ports.split(","))
    except ValueError:
        ports = ()
    if len(ports) != len(DEFAULT_PORTS) or len(set(ports)) != len(ports):
        parser.error("--ports needs four different numbers, as in 8000,8001,8011,8012")
    return DemoFiles(ports, arguments.var)


def _welcome(files: DemoFiles) -> str:
    account = files.account
    return f"""
  The demo is running.

    auth service   {auth_url(files)}
    notes API      {api_url(files)}/docs
    {ONE.name}        {ONE.url(files)}
    {TWO.name}        {TWO.url(files)}

  Sign in as {account.email} with the password: {account.password}
  Ctrl-C stops it. Its data stays in {files.var}/; the logs are in {files.logs}/.
"""


if __name__ == "__main__":
    sys.exit(main())
