"""Start `fieldfare serve` as its users do, on a free port of this machine."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_END_S = 20


@dataclass(frozen=True, slots=True)
class Served:
    """A running server.

    address: http://127.0.0.1:PORT or https, without a slash behind it. errors: what it reports.
    opening: the path that a person opens first.
    """

    address: str
    process: subprocess.Popen[str]
    errors: Path
    opening: str

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def reported(self) -> str:
        """Return what it has written to its log so far."""
        return self.errors.read_text(errors="replace")


@contextmanager
def served(store: Path, *words: str, program: Sequence[str] = ("-m", "edge"), **environment: str) -> Iterator[Served]:
    """Serve the pages of a store in the block. words: more options. environment: in place of ours.

    store: or a file of settings that names it, NAME.toml. program: what Python runs, in place of Fieldfare itself.

    Raises RuntimeError with what the command reported if it does not start.
    """
    named = "--config" if store.suffix == ".toml" else "--store"
    with _running([*program, "serve", named, str(store), "--port", "0", *words], environment) as site:
        yield site


@contextmanager
def labelling(photos: Path, *words: str, **environment: str) -> Iterator[Served]:
    """Sort photos with `fieldfare label` in the block. Raises RuntimeError as `served` does."""
    with _running(["-m", "edge", "label", str(photos), *words], environment) as site:
        yield site


@contextmanager
def _running(words: Sequence[str], environment: dict[str, str]) -> Iterator[Served]:
    with tempfile.TemporaryDirectory() as folder:
        errors = Path(folder) / "errors"
        with errors.open("w") as log:
            process = subprocess.Popen(
                [sys.executable, *words],
                cwd=ROOT,
                env=environment or None,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        with process:
            try:
                line = process.stdout.readline().rstrip() if process.stdout else ""
                found = re.search(r"(https?://[^/\s]+)(/\S*)$", line)
                if found is None:
                    raise RuntimeError(f"the pages did not start: {errors.read_text(errors='replace')[-500:]}")
                yield Served(found[1], process, errors, found[2])
            finally:
                _end(process)


def set_password(store: Path, password: str) -> None:
    """Set the password of a store's pages by the command. It holds for servers that start afterwards."""
    _order("password", store, "--stdin", given=password)


def make_certificate(store: Path) -> None:
    """Make a certificate for a store's pages by the command: servers that start afterwards are at https://."""
    _order("certificate", store)


def _order(name: str, store: Path, *words: str, given: str = "") -> None:
    command = [sys.executable, "-m", "edge", "serve", name, "--store", str(store), *words]
    subprocess.run(command, cwd=ROOT, input=given, text=True, check=True, capture_output=True)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
