"""The settings of one instance: options such as `--client-id app-one`, or variables such as `WEB_APP_CLIENT_ID`."""

import os
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

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
    api: BaseUrl
    base_url: BaseUrl
    """The URL of this app. `/callback` and `/` under it are registered with the issuer."""
    port: int
    accent: Literal["ink", "madder"] = "ink"
    other_name: str = ""
    other_url: str = ""
    """An app on another domain that the pages link to."""

    @model_validator(mode="after")
    def _check_secret(self) -> Self:
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
