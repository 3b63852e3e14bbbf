"""The app `tallystick.drf`: the checks of `tallystick.django`, and the extension of drf-spectacular if that is used."""

from importlib import import_module

from django.core.checks import register

from tallystick.django.apps import TallystickConfig
from tallystick.drf.checks import check_required_scopes


class TallystickRestFrameworkConfig(TallystickConfig):
    default = True  # the module has another AppConfig, which it imports
    name = "tallystick.drf"
    label = "tallystick_drf"
    verbose_name = "Tallystick for Django REST Framework"

    def ready(self) -> None:
        super().ready()
        register(check_required_scopes)
        if self.apps.is_installed("drf_spectacular"):
            import_module("tallystick.drf.spectacular")  # registers itself
