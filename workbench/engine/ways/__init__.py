"""Which way to run a meta-batch, by rules, and which convolutions have a faster gradient of their weights."""
