"""What `make run` starts: the auth service, the notes API and one app on each of two domains, on this machine alone."""
