"""What a person chose: the frozen experiment, its fields, the registry and the presets."""
