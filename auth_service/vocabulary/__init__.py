"""Names and constants that every room uses; no module here does I/O."""
