"""Looking for the trainer's libraries before anything is loaded or begun."""

import importlib.util

from edge.errors import INSTALL_TRAIN, MissingPackageError


def require(doing: str, *modules: str) -> None:
    """Raises MissingPackageError where one of `modules` is not installed; doing: what needs it, for the message."""
    for name in modules:
        if importlib.util.find_spec(name) is None:
            raise MissingPackageError(f"{doing} needs {name}: {INSTALL_TRAIN}")
