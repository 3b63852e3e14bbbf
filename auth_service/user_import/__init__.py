"""Import users of another system, with their password hashes, from a file."""
