"""Group pictures that look alike, in a process of its own: by a bundle's network, or by colours and edges alone."""

import json
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from edge.errors import EngineError, FieldfareError
from edge.printable import printable
from edge.processes.process import PIPE, Process, describe_exit, module_command

Advance = Callable[[int, int], None]
_MOST_LINE = 100
_MOST_ERRORS = 1 << 16
_REAP_S = 2.0


class GroupingError(FieldfareError):
    """The pictures could not be grouped; they can be shown in another order."""

    exit_status = EngineError.exit_status


def group_pictures(
    files: Sequence[Path], bundle: Path | None, advance: Advance, *, threads: int = 1
) -> list[list[int]]:
    """Return groups of the places in `files`, alike ones side by side; those that cannot be read are in none.

    bundle: whose network looks at them; None: colours and edges. advance: called with how many are done, and how many
    there are. Raises GroupingError.
    """
    if not files:
        return []
    with tempfile.TemporaryDirectory(prefix="fieldfare-sorting-", ignore_cleanup_errors=True) as folder:
        request, answer = Path(folder, "request.json"), Path(folder, "answer.json")
        names = [os.fspath(file) for file in files]
        told = {"files": names, "bundle": None if bundle is None else os.fspath(bundle), "threads": threads}
        # Standard JSON: names of files may hold bytes that are no text, as surrogates, which others refuse.
        request.write_text(json.dumps(told))
        try:
            _run([str(request), str(answer)], advance)
            found = json.loads(answer.read_text())
        except (OSError, ValueError) as error:
            raise GroupingError(f"the pictures were not grouped: {printable(str(error))}") from error
    return [[int(place) for place in members if 0 <= int(place) < len(files)] for members in found]


def _run(words: Sequence[str], advance: Advance) -> None:
    command = module_command("edge.sorting.apart.grouping_child", words)
    process = Process(command, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    errors = bytearray()
    listener = threading.Thread(target=_gather, args=(process, errors), daemon=True)
    try:
        listener.start()
        _follow(process, advance)
        process.wait(_REAP_S)
        listener.join(_REAP_S)
        status = process.exit_status()
    finally:
        process.end(_REAP_S)
    if status != 0:
        how = describe_exit(-9 if status is None else status, bytes(errors))
        raise GroupingError(f"the pictures were not grouped: the process for it {printable(how)}")


def _gather(process: Process, errors: bytearray) -> None:
    while piece := process.stderr.read(4096):
        errors += piece[: _MOST_ERRORS - len(errors)]


def _follow(process: Process, advance: Advance) -> None:
    """Report what the process prints until it closes its output."""
    rest = b""
    while piece := process.stdout.read(4096):
        *lines, rest = (rest + piece).split(b"\n")
        rest = rest[:_MOST_LINE]
        for line in lines[-1:]:
            done, _, total = line.partition(b" ")
            if done.isdigit() and total.isdigit():
                advance(int(done), int(total))
