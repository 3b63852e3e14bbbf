"""What one instance of the app is told: `--client-id app-one`, or `WEB_APP_CLIENT_ID=app-one` in the environment."""

import os
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tallystick.urls import check_identifier


def _base(url: str) -> str:
    """A URL that paths are appended to: https, or http where the traffic never leaves this machine."""
    return check_identifier(url).rstrip("/")


BaseUrl = Annotated[str, AfterValidator(_base)]


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="WEB_APP_", cli_kebab_case=True, cli_prog_name="python -m examples.web_app", frozen=True
    )

    name: str
    """Shown to people, and on the consent page of the issuer if it names the client alike."""
    client_id: str
    client_secret_env: str
    """The environment variable that holds the secret: arguments can be read by everyone on the machine."""
    issuer: BaseUrl
    api: BaseUrl
    base_url: BaseUrl
    """Where browsers find this app; `/callback` and `/` under it are registered with the issuer."""
    port: int
    accent: Literal["ink", "madder"] = "ink"
    other_name: str = ""
    other_url: str = ""
    """An app of another domain to link to, and its name."""

    @model_validator(mode="after")
    def _secret_is_there(self) -> Self:
        if not os.environ.get(self.client_secret_env):
            raise ValueError(f"the environment variable {self.client_secret_env} is not set")
        return self

    @property
    def client_secret(self) -> str:
        return os.environ[self.client_secret_env]

    @property
    def redirect_uri(self) -> str:
        return f"{self.base_url}/callback"

    @property
    def post_logout_redirect_uri(self) -> str:
        return f"{self.base_url}/"

    @property
    def is_https(self) -> bool:
        return self.base_url.startswith("https:")
