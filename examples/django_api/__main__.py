"""Migrate the database, then serve with gunicorn. The arguments are gunicorn's, for example `--bind 127.0.0.1:8002`."""

import os
import sys

import django
from django.core.management import call_command
from django.db import connections
from gunicorn.app.wsgiapp import WSGIApplication

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "examples.django_api.settings")
django.setup()
call_command("migrate", verbosity=0)
connections.close_all()  # the worker processes open their own
sys.argv = ["gunicorn", "examples.django_api.wsgi", *sys.argv[1:]]
WSGIApplication().run()
