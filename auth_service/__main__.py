"""`python -m auth_service`: the command line."""

import typer

from auth_service.commands import apply, audit, client, keys, serve, users

app = typer.Typer(
    help="The auth service of Tallystick.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (serve.serve, apply.plan, apply.apply):
    app.command()(command)
app.command()(audit.audit)
app.add_typer(keys.app, name="keys")
app.add_typer(users.app, name="user")
app.add_typer(client.client, name="client")
app.add_typer(client.consent, name="consent")

if __name__ == "__main__":
    app(prog_name="python -m auth_service")
