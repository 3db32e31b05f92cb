"""fieldfare outputs, and where `run` and `classify` write results."""
