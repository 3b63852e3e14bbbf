"""Units of work: plain functions over one connection, one file per noun. The only folder that imports SQLAlchemy."""
