"""Metrics and the log of refusals."""
