"""A single-page app: the tokens are in the memory of the page, and no server of its own is needed. See README.md."""
