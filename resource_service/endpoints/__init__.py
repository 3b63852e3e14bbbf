"""The HTTP endpoints, one file per URL."""
