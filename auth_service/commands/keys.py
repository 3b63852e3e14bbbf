"""keys list, rotate, withdraw."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from auth_service.commands.service import Config, Service, refuse, run, say
from auth_service.store import keys
from auth_service.store.keys import StoredKey
from auth_service.tokens import resealing
from auth_service.tokens.key_making import ALGORITHMS
from auth_service.tokens.key_states import KeyStates, key_states

app = typer.Typer(help="Signing keys.", no_args_is_help=True)


@app.command("list")
def list_keys(config: Config) -> None:
    """One line for each key: kid, algorithm, what it is good for, from when on it signs, and until when."""
    for line in run(config, _list):
        say(line)


@app.command()
def rotate(config: Config) -> None:
    """Publish a new key for each algorithm, which will sign once every verifier can know it."""
    for alg, kid in run(config, _rotate, may_begin=True).items():
        say(f"published {kid} for {alg}" if kid else f"a new key for {alg} waits already")


@app.command()
def withdraw(kid: Annotated[str, typer.Argument(metavar="KID")], config: Config) -> None:
    """Stop believing a key at once, and all that it signed; for one that was stolen."""

    async def command(service: Service) -> str:
        if await (await service.key_ring()).withdraw(kid):
            return f"withdrew {kid}"
        if any(row.kid == kid for row in await service.store.read(keys.load_all)):
            return f"{kid} was withdrawn before"
        return refuse(f"there is no key {kid}")

    say(run(config, command))


@app.command()
def reseal(config: Config) -> None:
    """Encrypt all that is stored encrypted with the first of several master keys, so that the others can go."""

    say(run(config, _reseal))


async def _reseal(service: Service) -> str:
    master_key = await service.master_key()
    done = await resealing.reseal(service.store, master_key, service.clock)
    which = "the only master key" if len(master_key) == 1 else f"the first of {len(master_key)} master keys"
    if not done.anew:
        return f"nothing to do: {done.in_all} keys and secrets are sealed with {which}"
    return f"sealed {done.anew} keys and secrets with {which}"


async def _list(service: Service) -> list[str]:
    rows = await service.store.read(keys.load_all)
    states = key_states(rows, {}, now=service.clock())
    lifetime = service.settings.lifetimes.signing_key
    return [
        f"{row.kid}  {row.alg}  {states.of(row):<9}  {_time(row.signs_from)}{_until(row, states, lifetime)}"
        for row in rows
    ]


def _until(row: StoredKey, states: KeyStates, lifetime: int) -> str:
    if row != states.signing.get(row.alg):
        return ""
    due_at = states.due_at(row.alg, lifetime)
    return f"  until {_time(due_at)}" if due_at is not None else "  until somebody rotates"


async def _rotate(service: Service) -> dict[str, str | None]:
    key_ring = await service.key_ring()
    return {alg: await key_ring.rotate(alg) for alg in ALGORITHMS}


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
