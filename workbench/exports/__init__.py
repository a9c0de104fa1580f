"""What leaves the house: files, figures, predictions."""
