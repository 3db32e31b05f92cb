"""The kit: all that a device needs, in one tar or folder, so that it is installed without a network. docs/kit.md."""
