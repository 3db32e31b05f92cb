"""fieldfare teach."""
