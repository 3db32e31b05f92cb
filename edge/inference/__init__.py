"""Engines that turn an input tensor into raw output: one protocol, LiteRT, tflite-runtime, Edge TPU; a guard."""
