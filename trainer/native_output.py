"""Keep native libraries' chatter off the terminal unless something fails."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back what is written to standard output and standard error; if the block raises, all of it goes to standard
    error. Not for several threads at once."""
    # By file descriptor, as it is native code that writes: ten lines when TensorFlow starts, two hundred when it
    # converts.
    with tempfile.TemporaryFile() as log, contextlib.ExitStack() as stack:
        saved = {stream: os.dup(stream) for stream in (1, 2)}
        _flush()
        for stream in saved:
            os.dup2(log.fileno(), stream)

        def restore() -> None:
            _flush()
            for stream, copy in saved.items():
                os.dup2(copy, stream)
                os.close(copy)

        stack.callback(restore)
        try:
            yield
        except BaseException:
            _flush()
            log.seek(0)
            os.write(saved[2], log.read())
            raise


def load_tensorflow(*, start: bool = True) -> None:
    """Import TensorFlow and start its runtime, silently; without `start` only import it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet():
        import tensorflow as tf

        # Not for a team of several machines: it must be formed before anything runs.
        if start:
            tf.constant(0)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
