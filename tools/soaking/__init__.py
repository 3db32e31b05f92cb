"""The parts of tools/soak.py: days of a service under faults, and a watch for leaks."""

# The module that the service runs as its worker.
WORKER = "tools.soaking.worker"
