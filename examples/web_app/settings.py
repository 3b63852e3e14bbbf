"""The settings of one instance: options such as `--client-id app-one`, or variables such as `WEB_APP_CLIENT_ID`."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tallystick.remote.internal_url import Address, internal_address, published
from tallystick.urls import check_identifier


def _base_url(url: str) -> str:
    """Check a URL to which paths are appended. It has to be https, except on loopback."""
    return check_identifier(url).rstrip("/")


BaseUrl = Annotated[str, AfterValidator(_base_url)]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="WEB_APP_", cli_kebab_case=True, cli_prog_name="python -m examples.web_app", frozen=True
    )

    name: str
    """The name that the pages show."""
    client_id: str
    client_secret_env: str
    """The name of the environment variable with the secret. Other users of the machine can read arguments."""
    issuer: BaseUrl
    internal_url: str = ""
    """The issuer's address for this server's own requests, if it is another one than for browsers: inside a network."""
    allow_insecure_internal_url: bool = False
    """Whether `internal_url` may be plain http off loopback. Then the network can read the secret and the tokens."""
    api: BaseUrl
    base_url: BaseUrl
    """The URL of this app. `/callback` and `/` under it are registered with the issuer."""
    port: int
    workers: int = 1
    """The number of worker processes. They share `session_file`."""
    session_file: Path
    """A SQLite file with the app sessions; `var/CLIENT_ID.sessions.db` when it is left out. No other app uses it."""
    accent: Literal["ink", "madder"] = "ink"
    other_name: str = ""
    other_url: str = ""
    """An app on another domain that the pages link to."""

    @model_validator(mode="before")
    @classmethod
    def _name_session_file(cls, values: dict[str, object]) -> dict[str, object]:
        return {"session_file": f"var/{values.get('client_id')}.sessions.db"} | values

    @model_validator(mode="after")
    def _check_internal_url(self) -> Self:
        _ = self.address  # raises ValueError
        return self

    @model_validator(mode="after")
    def _check_secret(self) -> Self:
        if not os.environ.get(self.client_secret_env):
            raise ValueError(f"the environment variable {self.client_secret_env} is not set")
        return self

    @property
    def client_secret(self) -> str:
        return os.environ[self.client_secret_env]

    @property
    def address(self) -> Address:
        """Maps a URL of the issuer to the one for this server's own requests."""
        if not self.internal_url:
            return published
        return internal_address(self.issuer, self.internal_url, allow_insecure=self.allow_insecure_internal_url)

    @property
    def redirect_uri(self) -> str:
        return f"{self.base_url}/callback"

    @property
    def post_logout_redirect_uri(self) -> str:
        return f"{self.base_url}/"

    @property
    def is_https(self) -> bool:
        return self.base_url.startswith("https:")
