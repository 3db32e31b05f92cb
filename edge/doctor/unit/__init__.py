"""What a unit opens and closes of the paths in the settings, by the path alone."""
