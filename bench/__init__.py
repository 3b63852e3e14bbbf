"""Benchmarks: tables of figures and ratios, each from one run. Nothing fails because of a figure."""
