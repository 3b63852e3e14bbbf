"""`make run`, or `python -m deploy.demo`, from the root of the checkout."""

import argparse
import sys
from pathlib import Path

from deploy.demo.place import DEFAULT_PORTS, Place
from deploy.demo.servers import ONE, TWO, api_url, auth_url, servers_of
from deploy.demo.supervisor import Server, run


def main() -> int:
    place = _place()

    def prepare() -> list[Server]:
        place.prepare()
        return servers_of(place)

    return run(prepare, lambda: _welcome(place), name="demo", logs=place.logs)


def _place() -> Place:
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
        parser.error("--ports wants four different numbers, as in 8000,8001,8011,8012")
    return Place(ports, arguments.var)


def _welcome(place: Place) -> str:
    account = place.account
    return f"""
  The demo is running.

    auth service   {auth_url(place)}
    notes API      {api_url(place)}/docs
    {ONE.name}        {ONE.url(place)}
    {TWO.name}        {TWO.url(place)}

  Sign in as {account.email} with the password: {account.password}
  Ctrl-C stops it. Its data stays in {place.var}/; what the servers say is in {place.logs}/.
"""


if __name__ == "__main__":
    sys.exit(main())
