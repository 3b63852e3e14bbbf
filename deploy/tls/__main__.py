"""`make front`, or `python -m deploy.tls`, from the root of the checkout."""

import argparse
import sys
from pathlib import Path

from deploy.demo.supervisor import Server, run
from deploy.tls.place import SUITE, Place
from deploy.tls.servers import servers_of


def main() -> int:
    place = _place()

    def prepare() -> list[Server]:
        place.prepare()
        return servers_of(place)

    return run(prepare, lambda: _welcome(place), name="front", logs=place.logs)


def _place() -> Place:
    parser = argparse.ArgumentParser(prog="python -m deploy.tls", description="Start the pair behind TLS on loopback.")
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
        help="the two server names; they must lead to loopback (%(default)s)",
    )
    parser.add_argument(
        "--suite",
        action="append",
        metavar="URL",
        help=f"where the clients have /callback and /post_logout_redirect; may repeat ({SUITE})",
    )
    parser.add_argument("--ca-file", type=Path, metavar="FILE", help="the suite's own certificate, to be trusted")
    parser.add_argument("--also", type=Path, metavar="FILE", help="TOML to add to the auth service's configuration")
    parser.add_argument("--var", default="var/tls", type=Path, help="the folder for its data (%(default)s)")
    arguments = parser.parse_args()
    try:
        front, auth, notes = (int(port) for port in arguments.ports.split(","))
    except ValueError:
        parser.error("--ports wants three numbers, as in 9443,9400,9401")
    auth_name, comma, notes_name = arguments.names.partition(",")
    if not (comma and auth_name and notes_name and auth_name != notes_name):
        parser.error("--names wants two names, as in localhost,notes.localhost")
    return Place(
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


def _welcome(place: Place) -> str:
    account = place.account
    secrets = "\n".join(f"    {client_id:<20} {secret}" for client_id, secret in place.clients().items())
    return f"""
  The front is there.

    issuer       {place.issuer}
    notes API    {place.notes_url}
    to trust     {place.ca}
    user         {account.email} / {account.password}

  Clients, each with its secret (for the suite: {place.suite_json}):

{secrets}

  Ctrl-C stops it. Its data stays in {place.var}/; what the servers say is in {place.logs}/.
"""


if __name__ == "__main__":
    sys.exit(main())
