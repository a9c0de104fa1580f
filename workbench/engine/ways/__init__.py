"""Which way to run a meta-batch: by rules, by measurement at the start of a run, and all of them side by side."""
