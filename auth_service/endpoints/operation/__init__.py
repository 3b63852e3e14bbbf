"""Endpoints that operators and load balancers call."""
