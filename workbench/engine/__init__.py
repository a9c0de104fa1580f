"""The inner loop, executors, trainer and evaluation, in one process or several."""
