"""fieldfare label: sort photos into classes in a browser."""
