"""Fieldfare's device side: capture, preprocess, classify, decide, record.

Importing this package loads no runtime, no camera library and no TensorFlow. Adapters import theirs when they are
constructed.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("fieldfare")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
