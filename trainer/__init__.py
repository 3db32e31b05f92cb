"""Fieldfare's desktop side: a folder of photos -> MobileNet -> full int8 -> Edge TPU -> model bundle.

TensorFlow is imported inside the functions that need it, so that `fieldfare train --help` is quick.
"""
