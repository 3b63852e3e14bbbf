"""The demo of `make run`: the auth service, the notes API and two apps on two domains, on loopback."""
