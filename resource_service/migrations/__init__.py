"""The migrations of the notes database."""
