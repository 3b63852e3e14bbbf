"""`make front`, or `python -m deploy.tls`, from the root of the checkout."""

import argparse
import sys
from pathlib import Path

from deploy.local.supervisor import Server, run
from deploy.tls.front_files import SUITE, FrontFiles
from deploy.tls.servers import front_servers


def main() -> int:
    files = _front_files()

    def prepare() -> list[Server]:
        files.prepare()
        return front_servers(files)

    return run(prepare, lambda: _welcome(files), name="front", logs=files.logs)


def _front_files() -> FrontFiles:
    parser = argparse.ArgumentParser(prog="python -m deploy.tls", description="Start the services behind TLS.")
    parser.add_argument(
        "--ports",
        default="9443,9400,9401",
        metavar="FRONT,AUTH,NOTES",
        help="of the front, and of the two services behind it (%(default)s)",
    )
    parser.add_argument(
        "--names",
        default="localhost,notes.localhost",
        metavar="AUTH,NOTES",
        help="the two server names; they must resolve to loopback (%(default)s)",
    )
    parser.add_argument(
        "--suite",
        action="append",
        metavar="URL",
        help=f"the base URL of the clients' /callback and /post_logout_redirect; may be repeated ({SUITE})",
    )
    parser.add_argument("--ca-file", type=Path, metavar="FILE", help="a certificate that the auth service trusts")
    parser.add_argument("--also", type=Path, metavar="FILE", help="TOML to add to the auth service's configuration")
    parser.add_argument("--var", default="var/tls", type=Path, help="the folder for its data (%(default)s)")
    arguments = parser.parse_args()
    try:
        front, auth, notes = (int(port) for port in arguments.ports.split(","))
    except ValueError:
        parser.error("--ports needs three numbers, as in 9443,9400,9401")
    auth_name, comma, notes_name = arguments.names.partition(",")
    if not (comma and auth_name and notes_name and auth_name != notes_name):
        parser.error("--names needs two names, as in localhost,notes.localhost")
    return FrontFiles(
        var=arguments.var,
        auth_name=auth_name,
        notes_name=notes_name,
        front=front,
        auth=auth,
        notes=notes,
        suites=tuple(url.rstrip("/") for url in arguments.suite or [SUITE]),
        ca_file=arguments.ca_file,
        also=arguments.also,
    )


def _welcome(files: FrontFiles) -> str:
    account = files.account
    secrets = "\n".join(f"    {client_id:<20} {secret}" for client_id, secret in files.client_secrets().items())
    return f"""
  The front is running.

    issuer       {files.issuer}
    notes API    {files.notes_url}
    CA           {files.ca}
    user         {account.email} / {account.password}

  Clients, each with its secret (for the suite: {files.suite_json}):

{secrets}

  Ctrl-C stops it. Its data stays in {files.var}/; the logs are in {files.logs}/.
"""


if __name__ == "__main__":
    sys.exit(main())
