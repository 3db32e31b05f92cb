"""Debian for a Pi's processors, unpacked and not set up: what Python needs runs so, under user-mode emulation."""
ARCHITECTURES: tuple[str, ...] = ()
