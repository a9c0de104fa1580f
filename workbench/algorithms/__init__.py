"""How to learn to learn, one file a method."""
