"""What the model of a stranger's bundle may take of this machine, wherever a command runs it."""

# As much time as `fieldfare bundle import` gives to a model. Opening one and its golden inputs takes under a second; on
# a small Pi a few.
TIMEOUT_S = 120
# Beside libraries and the bundle itself (at most 256 MiB). MobileNetV2 1.0 224 takes 30 MB.
MEMORY_BYTES = 1 << 30
