"""Start `fieldfare serve` as its users do, on a free port of this machine."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_END_S = 20


@dataclass(frozen=True, slots=True)
class Served:
    """A running server. address: http://127.0.0.1:PORT, without a slash behind it. errors: what it reports."""

    address: str
    process: subprocess.Popen[str]
    errors: Path

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def reported(self) -> str:
        """Return what it has written to its log so far."""
        return self.errors.read_text(errors="replace")


@contextmanager
def served(store: Path, *words: str, **environment: str) -> Iterator[Served]:
    """Serve the pages of a store in the block. words: more options. environment: in place of ours.

    Raises RuntimeError with what the command reported if it does not start.
    """
    command = [sys.executable, "-m", "edge", "serve", "--store", str(store), "--port", "0", *words]
    with tempfile.TemporaryDirectory() as folder:
        errors = Path(folder) / "errors"
        with errors.open("w") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment or None, stdout=subprocess.PIPE, stderr=log, text=True
            )
        with process:
            try:
                found = re.search(r"http://\S+(?=/$)", process.stdout.readline().rstrip()) if process.stdout else None
                if found is None:
                    raise RuntimeError(f"the pages did not start: {errors.read_text(errors='replace')[-500:]}")
                yield Served(found[0], process, errors)
            finally:
                _end(process)


def set_password(store: Path, password: str) -> None:
    """Set the password of a store's pages by the command. It holds for servers that start afterwards."""
    command = [sys.executable, "-m", "edge", "serve", "password", "--store", str(store), "--stdin"]
    subprocess.run(command, cwd=ROOT, input=password, text=True, check=True, capture_output=True)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
