"""client list, disable, enable, delete; consent withdraw."""

from typing import Annotated

import typer

from auth_service.commands import users
from auth_service.commands.context import CommandContext, Config, run
from auth_service.commands.output import refuse, say
from auth_service.store.clients import clients, registrations
from auth_service.store.users import consents

client = typer.Typer(help="Clients.", no_args_is_help=True)
consent = typer.Typer(help="Consents of users.", no_args_is_help=True)

ClientId = Annotated[str, typer.Argument(metavar="CLIENT_ID")]


@client.command("list")
def list_clients(config: Config) -> None:
    """One line for each client: client_id, origin, enabled or disabled, name."""
    for row in run(config, lambda context: context.store.read(clients.list_clients)):
        state = "disabled" if row.is_disabled else "enabled"
        say(f"{row.client_id}  {row.origin}  {state}  {row.client_name}")


@client.command()
def disable(client_id: ClientId, config: Config) -> None:
    """Refuse a client from now on, and revoke its codes and tokens."""

    async def command(context: CommandContext) -> bool:
        return await context.store.write(clients.disable_client, client_id, by="command", now=context.clock())

    if not run(config, command):
        refuse(f"there is no client {client_id}")
    say(f"disabled {client_id}")


@client.command()
def enable(client_id: ClientId, config: Config) -> None:
    """Accept a client again."""

    async def command(context: CommandContext) -> bool:
        return await context.store.write(clients.enable_client, client_id, by="command", now=context.clock())

    if not run(config, command):
        refuse(f"there is no client {client_id}")
    say(f"enabled {client_id}")


@client.command()
def delete(client_id: ClientId, config: Config) -> None:
    """Delete a client that registered itself and revoke its tokens. To delete a declared client, edit the file."""

    async def command(context: CommandContext) -> bool:
        return await context.store.write(registrations.delete_client, client_id, now=context.clock())

    if not run(config, command):
        refuse(f"there is no client {client_id} that registered itself")
    say(f"deleted {client_id}")


@consent.command()
def withdraw(email: users.EmailArgument, client_id: ClientId, config: Config) -> None:
    """Delete what a user allowed a client, and revoke the tokens that it allowed."""

    async def command(context: CommandContext) -> bool:
        sub = await users.require_sub(context, email)
        if client_id not in {row.client_id for row in await context.store.read(clients.list_clients)}:
            refuse(f"there is no client {client_id}")
        return await context.store.write(consents.withdraw_consent, sub, client_id, now=context.clock())

    was_withdrawn = run(config, command)
    say(
        f"withdrew the consent of {email} to {client_id}"
        if was_withdrawn
        else f"nothing to withdraw: {email} has allowed {client_id} nothing"
    )
