"""Names and constants that every package uses; no module here does I/O."""
