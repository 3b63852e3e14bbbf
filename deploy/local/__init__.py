"""The common parts of `make run` and `make front`: the supervisor of their processes, and generated secrets."""
