"""Servers to compare with, and our service with a probe in it. The first argument of each is its port."""
