"""Does the Edge TPU work? `python -m edge.probe FD PARENT`, started through edge.trial: opens it and runs the golden
inputs, in a process that may hang or die of it. Status 0 where all is well, else that of the error, with one line
on standard error.
"""

import os
import sys

import msgspec

from edge.child import die_with
from edge.config import Settings
from edge.errors import FieldfareError
from edge.trial import PREFIX


def main() -> None:
    """Entry point; the settings come as JSON in the file FD."""
    die_with(int(sys.argv[2]))
    with os.fdopen(int(sys.argv[1]), "rb") as memory:
        settings = msgspec.json.decode(memory.read(), type=Settings)
    try:
        _open(settings)
    except FieldfareError as error:
        print(f"{PREFIX}{' '.join(str(error).split())}", file=sys.stderr, flush=True)  # noqa: T201
        os._exit(error.exit_status)
    os._exit(0)  # not through native destructors: the worker is waiting for the device


def _open(settings: Settings) -> None:
    from edge.bundle.store import open_bundle
    from edge.cli.assemble import open_on_edgetpu

    open_on_edgetpu(open_bundle(settings.bundle), settings.engine)


if __name__ == "__main__":
    main()
