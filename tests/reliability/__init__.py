"""Fault scenarios against real processes. `make reliability` runs them; one module in `scenarios` is one scenario.

`make test` runs the short form of some of them (test_scenarios.py).
"""
