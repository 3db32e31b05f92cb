"""Read what another process is writing."""

from pathlib import Path


def whole_lines(file: Path) -> list[str]:
    """The lines that are written whole; the last may just be on its way. Empty if there is no file."""
    return file.read_text().split("\n")[:-1] if file.exists() else []
