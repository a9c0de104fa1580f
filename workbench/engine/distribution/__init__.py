"""Several processes that train together: how each was started, what it sees of the others, and how they meet."""
