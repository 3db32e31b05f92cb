"""What not every system has, and what serves instead: the trainer runs on Windows and macOS, too."""
