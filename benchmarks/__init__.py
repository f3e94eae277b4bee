"""Measurements of the delivery: ``python -m benchmarks``."""
