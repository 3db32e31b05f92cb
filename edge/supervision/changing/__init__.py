"""Read the settings again while the service runs."""
