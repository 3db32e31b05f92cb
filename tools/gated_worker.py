"""Run the worker with a gate that a file drives: started by soak_gated.py and by a test, in place of edge.worker.main.

    python -m gated_worker FD PARENT

FIELDFARE_GATE names the file. While it holds `open`, every frame goes on to inference; while it holds `hang`, the gate
never returns; otherwise, and without the file, every frame is turned away.
"""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edge.worker.main import main

if TYPE_CHECKING:
    from edge.worker.pipeline import Prepared


class FileGate:
    """A gate that reads a file for each frame."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def lets_through(self, prepared: "Prepared") -> bool:
        """Return True while the file holds `open`; never return while it holds `hang`."""
        while self._word() == "hang":
            time.sleep(0.1)
        return self._word() == "open"

    def _word(self) -> str:
        return self._path.read_text().strip() if self._path.exists() else "closed"


if __name__ == "__main__":
    main(FileGate(Path(os.environ["FIELDFARE_GATE"])))
