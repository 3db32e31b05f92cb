"""Native libraries' chatter, kept off the terminal unless something fails."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back what is written to standard output and standard error, native code's writes too (TensorFlow's
    start prints some ten lines, its converter two hundred); all of it goes to standard error where the block
    raises. Not for several threads at once."""
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
    """Import TensorFlow and start its runtime, silently; without `start` only import it: a team must be formed
    before anything runs."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet():
        import tensorflow as tf

        if start:
            tf.constant(0)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
