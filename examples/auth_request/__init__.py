"""nginx protects any program by access tokens: `auth_request` asks verifier.py (docs/apis_in_other_languages.md)."""
