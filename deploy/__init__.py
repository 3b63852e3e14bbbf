"""Deployments of the services: the demo on one machine, and containers behind a TLS proxy."""
