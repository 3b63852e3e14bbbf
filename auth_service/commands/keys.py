"""keys list, rotate, withdraw."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from auth_service.commands.service import Config, Service, refuse, run
from auth_service.store import keys
from auth_service.tokens.key_making import ALGORITHMS
from auth_service.tokens.key_states import key_states

app = typer.Typer(help="Signing keys.", no_args_is_help=True)


@app.command("list")
def list_keys(config: Config) -> None:
    """One line for each key: kid, algorithm, what it is good for, and when it begins to sign."""
    for line in run(config, _list):
        typer.echo(line)


@app.command()
def rotate(config: Config) -> None:
    """Publish a new key for each algorithm, which will sign once every verifier can know it."""
    for alg, kid in run(config, _rotate).items():
        typer.echo(f"published {kid} for {alg}" if kid else f"a new key for {alg} waits already")


@app.command()
def withdraw(kid: Annotated[str, typer.Argument(metavar="KID")], config: Config) -> None:
    """Stop believing a key at once, and all that it signed; for one that was stolen."""

    async def command(service: Service) -> bool:
        return await (await service.key_ring()).withdraw(kid)

    if not run(config, command):
        refuse(f"there is no key {kid} that could be withdrawn")
    typer.echo(f"withdrew {kid}")


async def _list(service: Service) -> list[str]:
    rows = await service.store.read(keys.load_all)
    kept = service.settings.lifetimes.signing_key_after
    states = key_states(rows, {}, now=service.clock(), keep_published=kept)
    return [f"{row.kid}  {row.alg}  {states.of(row):<9}  {_time(row.signs_from)}" for row in rows]


async def _rotate(service: Service) -> dict[str, str | None]:
    key_ring = await service.key_ring()
    return {alg: await key_ring.rotate(alg) for alg in ALGORITHMS}


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
