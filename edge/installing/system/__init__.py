"""The machine: its programs, services, packages and files."""
