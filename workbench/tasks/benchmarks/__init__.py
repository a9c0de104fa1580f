"""What the standard benchmarks share: their official files, and the formats of some."""
