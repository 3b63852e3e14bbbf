"""Client authentication, and the keys that clients sign with."""
