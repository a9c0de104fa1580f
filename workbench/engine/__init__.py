"""The inner loop, executors and the ways to run them, trainer and evaluation, in one process or several."""
