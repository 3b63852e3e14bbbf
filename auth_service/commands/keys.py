"""keys list, rotate, withdraw, rotate-secrets, re-encrypt."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer

from auth_service.commands.context import CommandContext, Config, run
from auth_service.commands.output import refuse, say
from auth_service.keys import master_key_rotation, service_secrets
from auth_service.keys.lifecycle import KeyStates, key_states
from auth_service.keys.service_secrets import SECRETS
from auth_service.store.keys import signing_keys
from auth_service.store.keys.signing_keys import StoredKey
from auth_service.vocabulary.algorithms import SIGNING_ALGS

app = typer.Typer(help="Signing keys.", no_args_is_help=True)


@app.command("list")
def list_keys(config: Config) -> None:
    """One line for each key: kid, algorithm, state, when it starts to sign, and until when."""
    for line in run(config, _list):
        say(line)


@app.command()
def rotate(config: Config) -> None:
    """Publish a new key for each algorithm. It signs once every verifier has had the time to fetch it."""
    for alg, kid in run(config, _rotate, may_create=True).items():
        say(f"published {kid} for {alg}" if kid else f"a new key for {alg} is already waiting")


@app.command()
def withdraw(
    config: Config,
    kid: Annotated[str | None, typer.Argument(metavar="KID", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="Every key that is not withdrawn yet.")] = False,
) -> None:
    """Stop trusting a stolen key, and everything that it signed, immediately."""
    if (kid is None) is not every:
        refuse("name one KID, or --all")
    for line in run(config, partial(_withdraw, kid)):
        say(line)


@app.command("rotate-secrets")
def rotate_secrets(
    config: Config,
    is_stolen: Annotated[
        bool, typer.Option("--stolen", help="The old secrets were stolen: refuse everything that they can forge.")
    ] = False,
) -> None:
    """Replace the secrets behind refresh tokens and forms. Running services use the new ones within two seconds."""
    ended = run(config, partial(_rotate_secrets, is_stolen))
    say(f"replaced {' and '.join(SECRETS)}")
    if ended is not None:
        say(f"revoked {ended} token families, because their first refresh tokens had no random part")


@app.command("re-encrypt")
def reencrypt(config: Config) -> None:
    """Encrypt all stored keys and secrets with the first of several master keys, so that the others can be removed."""
    say(run(config, _reencrypt))


app.command("reseal", hidden=True)(reencrypt)  # the name of this command in earlier releases


async def _reencrypt(context: CommandContext) -> str:
    master_key = await context.master_key()
    done = await master_key_rotation.reencrypt(context.store, master_key, context.clock)
    which = "the only master key" if len(master_key) == 1 else f"the first of {len(master_key)} master keys"
    if not done.count:
        return f"nothing to do: {done.total} keys and secrets are encrypted with {which}"
    return f"encrypted {done.count} keys and secrets with {which}"


async def _list(context: CommandContext) -> list[str]:
    rows = await context.store.read(signing_keys.load_all)
    states = key_states(rows, {}, now=context.clock())
    lifetime = context.settings.lifetimes.signing_key
    return [
        f"{row.kid}  {row.alg}  {states.state(row):<9}  {_time(row.signs_from)}{_until(row, states, lifetime)}"
        for row in rows
    ]


def _until(row: StoredKey, states: KeyStates, lifetime: int) -> str:
    if row != states.of_alg(row.alg).signing:
        return ""
    due_at = states.due_at(row.alg, lifetime)
    return f"  until {_time(due_at)}" if due_at is not None else "  until a command rotates"


async def _withdraw(kid: str | None, context: CommandContext) -> list[str]:
    """`kid` None means all keys. Those that sign are withdrawn last, so that each algorithm gets one replacement."""
    key_ring = await context.key_ring()
    rows = await context.store.read(signing_keys.load_all)
    if kid is None:
        states = key_states(rows, {}, now=context.clock())
        signing = {keys.signing.kid for keys in states.by_alg.values() if keys.signing is not None}
        chosen = sorted((row for row in rows if row.withdrawn_at is None), key=lambda row: row.kid in signing)
        return [f"withdrew {row.kid}" for row in chosen if await key_ring.withdraw(row.kid)]
    if await key_ring.withdraw(kid):
        return [f"withdrew {kid}"]
    if any(row.kid == kid for row in rows):
        return [f"{kid} was withdrawn before"]
    return refuse(f"there is no key {kid}")


async def _rotate_secrets(is_stolen: bool, context: CommandContext) -> int | None:
    return await service_secrets.rotate_secrets(
        context.store, await context.master_key(), context.clock, is_stolen=is_stolen
    )


async def _rotate(context: CommandContext) -> dict[str, str | None]:
    key_ring = await context.key_ring()
    return {alg: await key_ring.rotate(alg) for alg in SIGNING_ALGS}


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
