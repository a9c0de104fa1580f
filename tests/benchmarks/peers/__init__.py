"""Ours beside the other libraries of the field, in one run: `python -m tests.benchmarks.peers`."""
