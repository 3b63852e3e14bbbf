"""Alembic revisions of the schema; `tallystick_service.store.migrations` runs them at every start."""
