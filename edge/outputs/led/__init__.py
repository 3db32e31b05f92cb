"""Show how the service is by a light on the board or on a pin."""
