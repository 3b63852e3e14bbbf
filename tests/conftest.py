"""What tests of every kind may ask for."""

from tests.support.postgres import database_url, postgresql, postgresql_url

__all__ = ["database_url", "postgresql", "postgresql_url"]
