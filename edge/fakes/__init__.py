"""Software replacements for missing hardware. None is ever chosen by default."""
