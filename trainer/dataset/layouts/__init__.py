"""Folders as people, machines and other tools leave them."""
