"""Faults, done for real to real processes, and what held meanwhile: `make reliability`.

One file for each scenario, with `async def run(site, size) -> Outcome`. `tests/faults` runs the same functions, small.
"""
