"""Memory: what a run will take, how it is given back, and chunks that halve where it does not suffice."""
