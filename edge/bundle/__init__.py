"""The model bundle: all that crosses from the desktop to the device. docs/bundle.md describes it."""

from edge.bundle.manifest import Manifest
from edge.bundle.store import PACK_SUFFIX, Bundle, open_bundle, pack_bytes

__all__ = ["PACK_SUFFIX", "Bundle", "Manifest", "open_bundle", "pack_bytes"]
