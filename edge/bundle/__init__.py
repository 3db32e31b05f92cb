"""The model bundle: all that crosses from the desktop to the device. docs/bundle.md describes it."""
