"""Check that the trainer's libraries are installed, before anything is loaded or begun."""

import importlib.util

from edge.errors import INSTALL_TRAIN, MissingPackageError


def require(doing: str, *modules: str) -> None:
    """Raise MissingPackageError if one of `modules` is not installed. doing: what needs them, for the message."""
    for name in modules:
        if importlib.util.find_spec(name) is None:
            raise MissingPackageError(f"{doing} needs {name}: {INSTALL_TRAIN}")
