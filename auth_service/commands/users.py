"""user add, disable, enable, set-password, sign-out; `user import` is in a module of its own."""

import sys
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from auth_service.authentication.users.password_rules import hash_new_password
from auth_service.commands import user_import
from auth_service.commands.context import CommandContext, Config, run
from auth_service.commands.output import refuse, say
from auth_service.settings.declarations import Email
from auth_service.store.users import users

app = typer.Typer(help="Manage users.", no_args_is_help=True)

EmailArgument = Annotated[str, typer.Argument(metavar="EMAIL")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
app.command(name="import")(user_import.import_users)


@app.command()
def add(email: EmailArgument, config: Config, password_stdin: PasswordStdin = False) -> None:
    """Add a user."""
    try:
        checked = TypeAdapter(Email).validate_python(email)
    except ValidationError:
        refuse(f"{email} is not an email address")

    async def command(context: CommandContext) -> None:
        if await context.store.read(users.find_sub, checked) is not None:
            raise users.EmailTaken
        password_hash = _new_password_hash(password_stdin)
        await context.store.write(
            users.add_user,
            email=checked,
            password_hash=password_hash,
            claims={},
            roles=[],
            origin="command",
            now=context.clock(),
        )

    try:
        run(config, command, may_create=True)
    except users.EmailTaken:
        refuse(f"there is a user {email} already")
    say(f"added {email}")


@app.command()
def disable(email: EmailArgument, config: Config) -> None:
    """Disable a user and sign them out everywhere."""

    async def command(context: CommandContext) -> None:
        await context.store.write(
            users.disable_user, await require_sub(context, email), by="command", now=context.clock()
        )

    run(config, command)
    say(f"disabled {email}")


@app.command()
def enable(email: EmailArgument, config: Config) -> None:
    """Enable a disabled user."""

    async def command(context: CommandContext) -> None:
        await context.store.write(
            users.enable_user, await require_sub(context, email), by="command", now=context.clock()
        )

    run(config, command)
    say(f"enabled {email}")


@app.command()
def set_password(email: EmailArgument, config: Config, password_stdin: PasswordStdin = False) -> None:
    """Set a user's password and sign them out everywhere."""

    async def command(context: CommandContext) -> None:
        sub = await require_sub(context, email)
        password_hash = _new_password_hash(password_stdin)
        await context.store.write(users.set_password_hash, sub, password_hash, now=context.clock())

    run(config, command)
    say(f"set the password of {email}")


@app.command()
def sign_out(email: EmailArgument, config: Config) -> None:
    """End all of a user's login sessions and revoke their tokens."""

    async def command(context: CommandContext) -> None:
        await context.store.write(users.sign_out_user, await require_sub(context, email), now=context.clock())

    run(config, command)
    say(f"signed out {email}")


async def require_sub(context: CommandContext, email: str) -> str:
    """The `sub` of the user with this email. Ends the program with an error if there is none."""
    return await context.store.read(users.find_sub, email) or refuse(f"there is no user {email}")


def _new_password_hash(password_stdin: bool) -> str:
    try:
        return hash_new_password(_read_password() if password_stdin else _ask_password())
    except UnicodeDecodeError:
        refuse("the password is not UTF-8 text")
    except ValueError as reason:
        refuse(str(reason))


def _read_password() -> str:
    return sys.stdin.buffer.read().decode().removesuffix("\n").removesuffix("\r")


def _ask_password() -> str:
    if not sys.stdin.isatty():
        refuse("there is no terminal to ask for the password; use --password-stdin")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
