"""fieldfare bench: how fast a bundle runs on this board."""
