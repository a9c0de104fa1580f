"""What a person sees of the data before training."""
