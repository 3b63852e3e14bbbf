"""A notes API in Django REST Framework that accepts the demo's access tokens. It has no table of users.

.venv/bin/python -m examples.django_api migrates its database and serves the API with gunicorn.
"""
