"""Models for the Edge TPU: read .tflite files, predict what maps, call the compiler, bundle its output."""
