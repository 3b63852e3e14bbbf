"""Clients that are not ours, run for real against the pair behind its TLS front."""
