"""The notes in the database: the tables, and the units of work upon them. The only folder that imports SQLAlchemy."""
