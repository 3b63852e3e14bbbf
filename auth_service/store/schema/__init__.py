"""The tables, and queries over all of them."""
