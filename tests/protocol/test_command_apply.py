"""The commands `plan` and `apply`."""

from tests.support.command_line import CommandLine, command_line, on_sqlite

__all__ = ["command_line", "on_sqlite"]


def test_a_plan_is_applied_once(command_line: CommandLine) -> None:
    planned = command_line.run("plan")
    assert planned.status == 0
    assert planned.output.splitlines() == [
        "create api https://api.example.com",
        "create client app",
        "create user ada@example.com",
    ]
    assert command_line.run("apply").output == planned.output
    assert command_line.run("apply").output == command_line.run("plan").output == "nothing to change\n"


def test_plan_warns_of_a_secret_that_needs_form_encoding(on_sqlite: CommandLine) -> None:
    quiet = on_sqlite.run("plan")
    planned = on_sqlite.run("plan", APP_SECRET="a/secret=of+at%least thirty-two characters")
    assert (planned.status, planned.output) == (0, quiet.output)
    (warning,) = set(planned.errors.splitlines()) - set(quiet.errors.splitlines())
    assert "client app: the client_secret contains + or %" in warning
    assert "thirty" not in warning


def test_serve_and_apply_refuse_to_disable_most_and_plan_warns(on_sqlite: CommandLine) -> None:
    assert on_sqlite.run("apply").status == 0
    on_sqlite.config.write_text(on_sqlite.config.read_text().partition("[[api]]")[0])
    planned = on_sqlite.run("plan")
    assert planned.output.splitlines() == [
        "disable api https://api.example.com",
        "disable client app",
        "disable user ada@example.com",
    ]
    assert "warning: `apply` and `serve` will refuse this" in planned.errors
    assert "--allow-disable" in on_sqlite.run("apply").refused(2)
    served = on_sqlite.spawn("serve", "--port", "0")
    assert (served.status, served.output) == (2, "")
    assert "--allow-disable" in served.errors.splitlines()[-1]
    assert on_sqlite.run("apply", "--allow-disable").output == planned.output
    assert on_sqlite.run("plan").errors == ""


def test_plan_and_apply_warn_of_a_setting_without_effect(on_sqlite: CommandLine) -> None:
    with on_sqlite.config.open("a") as config:
        config.write("""
[[client]]
client_id = "spa"
token_endpoint_auth_method = "none"
redirect_uris = ["http://localhost:3000/callback"]
first_party = true
""")
    for command in ("plan", "apply"):
        assert "warning: client spa: first_party has no effect" in on_sqlite.run(command).errors


def test_plan_reports_a_master_key_that_serve_would_refuse(on_sqlite: CommandLine) -> None:
    for master_key, reason in (("weak", "32 bytes"), ("env:NOT_SET_ANYWHERE", "NOT_SET_ANYWHERE")):
        mistaken = on_sqlite.run("plan", AUTH_MASTER_KEY=master_key)
        assert (mistaken.status, mistaken.output) == (2, "")
        assert reason in mistaken.errors
    assert list(on_sqlite.folder.iterdir()) == [on_sqlite.config]
    assert on_sqlite.run("keys", "rotate").status == 0
    assert "not the one" in on_sqlite.run("plan", AUTH_MASTER_KEY="A" * 43).refused(2)
    (on_sqlite.folder / "master.key").unlink()
    assert "master.key" in on_sqlite.run("plan").refused(2)


def test_a_plan_for_a_missing_database_does_not_create_it(on_sqlite: CommandLine) -> None:
    plan = on_sqlite.run("plan")
    assert "create" in plan.output
    assert plan.errors == f"auth service: there is no database {on_sqlite.database_url} yet; `serve` creates it\n"
    assert list(on_sqlite.folder.iterdir()) == [on_sqlite.config]
