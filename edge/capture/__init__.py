"""Sources of frames: one protocol, and a module for each kind of source."""
