"""How the database of the notes came to its present form, step by step: `versions/`."""
