"""What `make run` and `make front` share: the supervisor of their processes, and the secrets that they generate."""
