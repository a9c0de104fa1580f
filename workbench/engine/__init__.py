"""The inner loop, executors, trainer and evaluation."""
