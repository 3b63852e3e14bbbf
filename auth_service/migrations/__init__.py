"""The steps from one schema to the next, in Alembic's form; `tallystick.store.migrations` runs them at every start."""
