"""Meta-Learning Workbench: pick, train, watch and keep few-shot learners."""

__version__ = "0.1.0"
