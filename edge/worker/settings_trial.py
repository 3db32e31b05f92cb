"""Judge settings that a running service is to take, in a process that may wait for a disk or meet a damaged bundle.

`python -m edge.worker.settings_trial FD PARENT`, started by edge.supervision.changing.reload. Reads the request as JSON
from the file FD, and writes the answer in its place. Whatever is wrong with the settings is part of the answer; the
exit status is 0 all the same.
"""

import os
import sys

import msgspec

from edge.bundle.store import open_bundle
from edge.capture.opening import require_source
from edge.config.request import Judged, SettingsRequest
from edge.errors import ConfigError, FieldfareError
from edge.events.labels import check_labels
from edge.events.schedule import timetable_of
from edge.printable import one_line
from edge.processes.child import die_with


def judge(request: SettingsRequest) -> Judged:
    """Return the settings and their bundle's id, or what is wrong, a line for each fault."""
    try:
        settings = request.load()
        require_source(settings.camera)
        bundle = open_bundle(settings.bundle)
        check_labels(settings, bundle.labels)
        if settings.schedule.awake:
            timetable_of(settings)
    except FieldfareError as error:
        faults = (error.heading, *error.faults) if isinstance(error, ConfigError) and error.faults else (str(error),)
        return Judged(faults=tuple(map(one_line, faults)))
    return Judged(settings=settings, bundle=bundle.bundle_id)


def main() -> None:
    """Entry point."""
    die_with(int(sys.argv[2]))
    with os.fdopen(int(sys.argv[1]), "r+b") as memory:
        request = msgspec.json.decode(memory.read(), type=SettingsRequest)
        answer = msgspec.json.encode(judge(request))
        memory.seek(0)
        memory.truncate()
        memory.write(answer)


if __name__ == "__main__":
    main()
