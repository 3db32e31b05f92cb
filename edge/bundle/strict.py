"""The base of every record of a bundle's manifest."""

import msgspec


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of every record of the manifest: an unknown key is an error."""
