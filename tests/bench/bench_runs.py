"""One run in the test bench, as its command line does it."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GUEST = Path(__file__).parent / "guest"
UNAVAILABLE = 69


@dataclass(frozen=True)
class Ran:
    """What came of a run in the bench. folder: as it was left."""

    status: int
    output: str
    folder: Path


def run_bench(where: str, folder: Path, *words: str) -> None:
    """Run `folder`/run there; leaves what was printed in `output`, and the status in `ended`.

    The virtual device has no such program; it uses the folder `trial` below. words: more of the command line.
    """
    if where == "virtual":
        place = folder / "trial"
    else:
        place = folder
        (folder / "run").chmod(0o755)
    command = [sys.executable, str(ROOT / "tools" / "testbench"), where, str(place), *words]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            output, _ = process.communicate()
        except BaseException:  # out of time: told to end, it takes its machine along
            process.terminate()
            raise
    (folder / "output").write_bytes(output)
    (folder / "ended").write_text(str(process.returncode))
