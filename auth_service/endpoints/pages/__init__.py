"""Endpoints that people see in a browser."""
