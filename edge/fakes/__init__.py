"""Stand-ins for hardware that is not here; each is named for what it is, and none is chosen by default."""
