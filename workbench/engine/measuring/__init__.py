"""Ways to run a meta-batch measured beside each other: at the start of a run, or all of them for whoever asks."""
