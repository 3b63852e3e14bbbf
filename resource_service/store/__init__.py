"""The database: its table, and the units of work. Only this folder and the migrations import SQLAlchemy."""
