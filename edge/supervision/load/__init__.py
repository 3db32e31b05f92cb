"""Decide how many decisions a second the board may make."""
