"""Settings from a file and the environment, and one line for an error."""

import json
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from tallystick_service.settings import Misconfigured, exit_on_misconfiguration, read_settings, resolve_secret
from tallystick_service.store import StoreUnavailable


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Lifetimes(Strict):
    access_token: int = 300
    code: int = 60


class Api(Strict):
    audience: str
    scopes: dict[str, str] = {}


class Settings(Strict):
    issuer: str
    master_key: str | None = None
    password: SecretStr | None = None
    trusted_proxies: list[str] = []
    require_pkce: bool = True
    mode: Literal["off", "token"] = "off"
    lifetimes: Lifetimes = Lifetimes()
    api: list[Api] = Field(default_factory=list)

    @field_validator("issuer")
    @classmethod
    def https_only(cls, issuer: str) -> str:
        if not issuer.startswith("https://"):
            raise ValueError("an issuer begins with https://")
        return issuer


GOOD = 'issuer = "https://id.example.com"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "service.toml"


def read(file: Path, text: str, **environment: str) -> Settings:
    file.write_text(text)
    return read_settings(Settings, file, env_prefix="AUTH_", environment=environment)


def test_settings_are_read_from_the_file(file: Path) -> None:
    text = (
        GOOD
        + 'trusted_proxies = ["10.0.0.0/8"]\n[lifetimes]\ncode = 30\n[[api]]\naudience = "a"\nscopes = { x = "X" }\n'
    )
    settings = read(file, text)
    assert settings.lifetimes == Lifetimes(access_token=300, code=30)
    assert settings.api == [Api(audience="a", scopes={"x": "X"})]
    assert settings.trusted_proxies == ["10.0.0.0/8"]


def test_environment_overrides_every_key(file: Path) -> None:
    settings = read(
        file,
        GOOD + "[lifetimes]\ncode = 30\n",
        AUTH_ISSUER="https://other.example.com",
        AUTH_LIFETIMES__ACCESS_TOKEN="60",
        AUTH_REQUIRE_PKCE="false",
        AUTH_TRUSTED_PROXIES='["::1"]',
        AUTH_MASTER_KEY="12345",
        AUTH_MODE="token",
        AUTH_API=json.dumps([{"audience": "b"}]),
        OTHER_ISSUER="https://not.ours",
    )
    assert settings.issuer == "https://other.example.com"
    assert settings.lifetimes == Lifetimes(access_token=60, code=30)
    assert (settings.require_pkce, settings.trusted_proxies, settings.mode) == (False, ["::1"], "token")
    assert settings.master_key == "12345"  # a text field takes the text literally
    assert settings.api == [Api(audience="b")]


def test_table_can_come_from_the_environment(file: Path) -> None:
    assert read(file, GOOD, AUTH_LIFETIMES='{"code": 10}').lifetimes == Lifetimes(code=10)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (GOOD + "isuer = 1\n", "isuer: unknown key"),
        (GOOD + "[lifetimes]\nacces_token = 1\n", "lifetimes.acces_token: unknown key"),
        (GOOD + "[[api]]\nscopes = {}\n", "api.0.audience: is missing"),
        ("", "issuer: is missing"),
        ('issuer = "http://id.example.com"', "issuer: an issuer begins with https://"),
        (GOOD + 'lifetimes = "long"\n', "lifetimes: Input should be"),
        (GOOD + "isuer = 1\nmod = 2\n", "isuer: unknown key (and 1 more)"),
        ("issuer = ", "is not TOML"),
        ("issuer = 1\nissuer = 2", "is not TOML"),
    ],
)
def test_error_is_one_line_that_names_the_key(file: Path, text: str, line: str) -> None:
    with pytest.raises(Misconfigured) as mistake:
        read(file, text)
    assert line in str(mistake.value)
    assert "\n" not in str(mistake.value)
    assert str(file) in str(mistake.value)


@pytest.mark.parametrize(
    ("variable", "line"),
    [
        ("AUTH_ISUER", "AUTH_ISUER names no setting; did you mean AUTH_ISSUER?"),
        ("AUTH_LIFETIMES__ACCESTOKEN", "did you mean AUTH_LIFETIMES__ACCESS_TOKEN?"),
        ("AUTH_LIFETIMES__NONSENSE", "AUTH_LIFETIMES__NONSENSE names no setting"),
    ],
)
def test_misspelled_variable_is_refused(file: Path, variable: str, line: str) -> None:
    with pytest.raises(Misconfigured, match=line.replace("?", r"\?")):
        read(file, GOOD, **{variable: "x"})


def test_invalid_value_is_reported_with_its_variable(file: Path) -> None:
    with pytest.raises(Misconfigured, match=r"^AUTH_LIFETIMES__CODE: "):
        read(file, GOOD, AUTH_LIFETIMES__CODE="soon")


def test_unrelated_variables_are_ignored(file: Path) -> None:
    """A container platform sets such variables for a service named `auth`. The file names the variable of a secret."""
    read(
        file,
        GOOD + 'master_key = "env:AUTH_MASTER_KEYS"\n',
        AUTH_SERVICE_HOST="10.0.0.1",
        AUTH_PORT_8000_TCP="tcp://10.0.0.1:8000",
        AUTH_PORT="tcp://10.0.0.1:8000",
        AUTH_MASTER_KEYS="secret",
    )


def test_no_error_shows_a_secret(file: Path) -> None:
    secret = "correct horse battery staple"
    for text, environment in (
        (f'issuer = "{secret}"', {}),
        (GOOD + f'pasword = "{secret}"', {}),
        (GOOD + f'password = ["{secret}"]', {}),
        (GOOD + f'mode = "{secret}"', {}),
        (GOOD, {"AUTH_LIFETIMES__CODE": secret}),
        (GOOD, {"AUTH_API": f'[{{"audience": ["{secret}"]}}]'}),
    ):
        with pytest.raises(Misconfigured) as mistake:
            read(file, text, **environment)
        assert secret not in str(mistake.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"nowhere\.toml cannot be read: No such file"):
        read_settings(Settings, tmp_path / "nowhere.toml", env_prefix="AUTH_")


def test_file_that_is_not_utf_8_is_named(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(Misconfigured, match="is not UTF-8 text"):
        read_settings(Settings, file, env_prefix="AUTH_")


def test_secret_is_literal_or_read_from_a_variable_or_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_SECRET", "from the environment")
    (tmp_path / "secret").write_text(" from a file \n")
    assert resolve_secret("itself") == "itself"
    assert resolve_secret("env:THE_SECRET") == "from the environment"
    assert resolve_secret(f"file:{tmp_path}/secret") == " from a file "


@pytest.mark.parametrize(
    ("value", "line"),
    [("", "empty"), ("env:NO_SUCH_SECRET", "NO_SUCH_SECRET is missing"), ("file:/nowhere", "/nowhere cannot be read")],
)
def test_missing_secret_is_named(value: str, line: str) -> None:
    with pytest.raises(Misconfigured, match=line):
        resolve_secret(value)


@pytest.mark.parametrize("mistake", [Misconfigured("the key\n is missing"), StoreUnavailable("the store is away")])
def test_misconfiguration_is_one_line_and_status_2(mistake: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving, exit_on_misconfiguration("auth_service"):
        raise mistake
    assert leaving.value.code == 2
    assert capsys.readouterr().err in {"auth_service: the key is missing\n", "auth_service: the store is away\n"}
