"""Read a file of boxes, whatever its format: by its first character."""

from pathlib import Path

from trainer.cropping.boxes import BoxFile, read_bytes
from trainer.cropping.json_files import read_json
from trainer.cropping.tables import read_table


def read_boxes(path: Path) -> BoxFile:
    """Read the boxes in a file. Raises MissingInputError if it cannot be read, DatasetError if it is of no format that
    is known, or its boxes are in other units than the format's."""
    data = read_bytes(path)
    is_json = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
    return read_json(path, data.removeprefix(b"\xef\xbb\xbf")) if is_json else read_table(path, data)
