"""`make run`, or `python -m deploy.demo`, from the root of the checkout."""

import argparse
import sys
from pathlib import Path

from deploy.demo.demo_files import DEFAULT_PORTS, DemoFiles
from deploy.demo.servers import ONE, TWO, api_url, auth_url, demo_servers, django_server, spa_server, spa_url
from deploy.local.supervisor import Server, run
from examples.spa.handler import LIBRARY, LIBRARY_IS_MISSING


def main() -> int:
    options = _options()
    files = DemoFiles(options.ports, options.var)

    def prepare() -> list[Server]:
        files.prepare()
        servers = demo_servers(files)
        if options.spa:
            servers.append(spa_server(files, options.spa_library))
        if options.django:
            servers.append(django_server(files, options.django_port))
        return servers

    return run(prepare, lambda: _welcome(files, options), name="demo", logs=files.logs)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.demo", description="Start the whole demo on this machine.")
    parser.add_argument(
        "--ports",
        default=",".join(map(str, DEFAULT_PORTS)),
        metavar="AUTH,API,ONE,TWO,SPA",
        help="of the auth service, the notes API, the two apps and the single-page app (%(default)s)",
    )
    parser.add_argument("--var", default="var", type=Path, help="the folder for its data (%(default)s)")
    parser.add_argument("--spa", action="store_true", help="start examples/spa, too; it needs oidc-client-ts")
    parser.add_argument("--spa-library", default=LIBRARY, type=Path, help="oidc-client-ts.min.js (%(default)s)")
    parser.add_argument("--django", action="store_true", help="start examples/django_api, too; it needs `make install`")
    parser.add_argument("--django-port", default=8002, type=int, help="its port (%(default)s)")
    options = parser.parse_args()
    try:
        ports = tuple(int(port) for port in options.ports.split(","))
    except ValueError:
        ports = ()
    if len(ports) == len(DEFAULT_PORTS) - 1:
        ports += DEFAULT_PORTS[-1:]
    if len(ports) != len(DEFAULT_PORTS) or len(set(ports)) != len(ports):
        parser.error("--ports needs four or five different numbers, as in 8000,8001,8011,8012,8013")
    options.ports = ports
    if options.spa and not options.spa_library.is_file():
        parser.error(LIBRARY_IS_MISSING)
    return options


def _welcome(files: DemoFiles, options: argparse.Namespace) -> str:
    account = files.account
    more = f"\n    Single page    {spa_url(files)}" if options.spa else ""
    more += f"\n    Django API     http://localhost:{options.django_port}" if options.django else ""
    return f"""
  The demo is running.

    auth service   {auth_url(files)}
    notes API      {api_url(files)}/docs
    {ONE.name}        {ONE.url(files)}
    {TWO.name}        {TWO.url(files)}{more}

  Sign in as {account.email} with the password: {account.password}
  Ctrl-C stops it. Its data stays in {files.var}/; the logs are in {files.logs}/.
"""


if __name__ == "__main__":
    sys.exit(main())
