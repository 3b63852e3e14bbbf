"""Servers for comparison, and our service with added measurements. The first argument of each is its port."""
