"""Where the pages keep what is theirs: beside the store, for its owner alone."""

from pathlib import Path

from edge.store.files import beside, located


def folder_of(store: Path) -> Path:
    """Return the folder for the password and the sessions."""
    return beside(located(store), ".pages")
