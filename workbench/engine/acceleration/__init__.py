"""Switches on an executor: meta-gradients that are replayed, compiled or captured rather than run call by call."""
