"""Django's commands, for example `python -m examples.django_api.manage migrate`."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "examples.django_api.settings")
    execute_from_command_line(sys.argv)
