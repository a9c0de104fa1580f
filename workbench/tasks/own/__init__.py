"""What data of a person's own share: their classes, their tasks, their splits, and new tasks to adapt to."""
