"""The outputs that results are written to."""
