"""The app `tallystick.django`: it checks the settings when a project starts."""

from django.apps import AppConfig
from django.core.checks import register

from tallystick.django.checks import check_metadata_url, check_user_mapping
from tallystick.django.configuration import project_api


class TallystickConfig(AppConfig):
    name = "tallystick.django"
    label = "tallystick"
    verbose_name = "Tallystick"

    def ready(self) -> None:
        """Raises ImproperlyConfigured, which stops every server and every management command."""
        project_api()
        register(check_metadata_url)
        register(check_user_mapping)
