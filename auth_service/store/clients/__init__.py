"""Clients, APIs, registrations, logos and client assertions."""
