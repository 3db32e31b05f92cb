"""Engines that turn an input tensor into raw output: a protocol, LiteRT, tflite-runtime, Edge TPU, and a guard."""
