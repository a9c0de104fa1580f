"""Memory: how it is given back, what operations hold of it, and chunks that halve where it does not suffice."""
