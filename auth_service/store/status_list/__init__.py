"""The rows of the Token Status List."""
