"""Decide whether systemd's watchdog is fed."""
