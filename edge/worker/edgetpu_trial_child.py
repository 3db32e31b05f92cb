"""Try the Edge TPU: open it and run the golden inputs, in a process that may hang or die of it.

`python -m edge.worker.edgetpu_trial_child FD PARENT SECONDS`, started through edge.processes.edgetpu_trial. Runs the
golden inputs once, then again for SECONDS. The exit status is edgetpu_trial.WORKS when all is well, else that of the
error, with one line on standard error.
"""

import os
import sys
import time

import msgspec

from edge.config.settings import Settings
from edge.errors import EngineError, FieldfareError
from edge.printable import one_line
from edge.processes.child import die_with
from edge.processes.edgetpu_trial import PREFIX, WORKS
from edge.processes.logs import MARK_VARIABLE

# The share of engine.start_timeout_s that opening may take. What takes nearly all of it here would fail in the worker,
# on a board that is a little busier.
_OF_LIMIT = 0.8
# A frame may wait for the inference before its own, so its result is two inferences old.
_IN_FLIGHT = 2


def main() -> None:
    """Entry point; reads the settings as JSON from the file FD."""
    die_with(int(sys.argv[2]))
    with os.fdopen(int(sys.argv[1]), "rb") as memory:
        settings = msgspec.json.decode(memory.read(), type=Settings)
    try:
        _prove(settings, float(sys.argv[3]))
    except FieldfareError as error:
        mark = os.environ.get(MARK_VARIABLE, "")
        print(f"{mark}{PREFIX}{one_line(str(error))}", file=sys.stderr, flush=True)  # noqa: T201
        os._exit(error.exit_status)
    # Not through native destructors, which take their time: the worker is waiting for the device.
    os._exit(WORKS)


def _prove(settings: Settings, seconds: float) -> None:
    from edge.bundle.store import open_bundle
    from edge.inference import golden
    from edge.preprocess import Preprocessor
    from edge.worker.assemble import load_libraries, open_on_edgetpu

    bundle, engine = open_bundle(settings.bundle), settings.engine
    load_libraries(engine)
    started = time.monotonic()
    classifier = open_on_edgetpu(bundle, engine)
    took_s = time.monotonic() - started
    if took_s > _OF_LIMIT * engine.start_timeout_s:
        raise EngineError(f"opening it took {took_s:.1f} s of {engine.start_timeout_s:g} (engine.start_timeout_s)")
    inputs = golden.prepare(bundle, Preprocessor(bundle.manifest.preprocessing, bundle.manifest.input))
    ends_s = time.monotonic() + seconds
    while True:
        began_s = time.monotonic()
        inputs.require(classifier)
        now = time.monotonic()
        inference_s = (now - began_s) / len(inputs.cases)
        if _IN_FLIGHT * inference_s > settings.camera.patience_s:
            raise EngineError(f"an inference takes {inference_s:.1f} s: results would be too old (camera.timeout_s)")
        if now >= ends_s:
            return


if __name__ == "__main__":
    main()
