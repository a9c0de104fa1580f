"""How tasks are drawn: from examples that belong to classes, and from functions."""
