"""Clients as one process knows them: the registry, and their logos."""
