"""Find the pictures of a store that was moved, such as one on a card that is read on a desktop."""

from pathlib import Path

# pictures/2026-11-28/NAME.jpg, and some levels more for folders that people chose.
_MOST_PARTS = 8


class Locator:
    """Find pictures by the path that the store gives, or else by the end of that path beside the store."""

    def __init__(self, store: Path) -> None:
        self._beside = store.resolve().parent
        self._parts: int | None = None  # how many of a path's last parts lead to it beside the store, once found

    def find(self, path: Path) -> Path:
        """Return where the picture is; the path as it was given if it is nowhere."""
        if self._parts is None and path.is_file():
            return path
        tails = range(min(_MOST_PARTS, len(path.parts) - 1), 0, -1) if self._parts is None else (self._parts,)
        for parts in tails:
            tail = path.parts[-parts:]
            found = self._beside.joinpath(*tail)
            if ".." not in tail and found.is_file():
                self._parts = parts
                return found
        return path
