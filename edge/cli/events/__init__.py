"""fieldfare events: list, follow, count, show and mark what the camera saw."""
