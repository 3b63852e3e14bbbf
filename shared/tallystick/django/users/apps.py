"""The app `tallystick.django.users`: one table."""

from django.apps import AppConfig


class TallystickUsersConfig(AppConfig):
    name = "tallystick.django.users"
    label = "tallystick_users"
    verbose_name = "Tallystick users"
    default_auto_field = "django.db.models.BigAutoField"
