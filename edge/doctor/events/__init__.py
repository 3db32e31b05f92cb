"""Check what events need: places, space, packages, a clock, and a folder for each instance."""
