"""Print results for people: a live line on a terminal, plain lines elsewhere."""

from typing import TextIO

from edge.config.running import ConsoleMode
from edge.errors import StorageError
from edge.printable import cut, printable
from edge.results import Result

_CLEAR_LINE = "\r\x1b[K"


class ConsoleSink:
    """Results as text. mode "all" prints every result, "changes" only those with a new label.

    On a terminal, the frames of a camera share one line that is overwritten; a new label starts a new line.
    """

    def __init__(self, stream: TextIO, *, mode: ConsoleMode) -> None:
        self._stream = stream
        self._changes_only = mode == "changes"
        self._live = stream.isatty() and not self._changes_only
        self._label: str | None = None
        self._open_line = False

    @property
    def fault(self) -> None:
        """See Sink.fault: this one never goes on without writing."""

    def write(self, result: Result) -> None:
        """See Sink.write."""
        changed = result.label != self._label
        if self._changes_only and not changed:
            return
        if not self._live:
            self._print(cut(printable(format_result(result))) + "\n")
        else:
            start = "\n" if self._open_line and (changed or result.image) else _CLEAR_LINE
            self._print(start + cut(printable(format_result(result))))
            self._open_line = True
        self._label = result.label

    def close(self) -> None:
        """See Sink.close."""
        if self._open_line:
            self._open_line = False
            self._print("\n")

    def _print(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise StorageError(f"standard output: cannot write: {error.strerror or error}") from error


def format_result(result: Result) -> str:
    """Return one line: image or frame, label, score, the other candidates and the time taken."""
    where = result.image or f"frame {result.frame}"
    # journald takes <0> at the beginning of a line for a priority. The name of a file begins one, and ./ leaves its
    # meaning.
    where = f"./{where}" if where.startswith("<") else where
    others = ", ".join(f"{c.label} {c.score:.2f}" for c in result.top if c.label != result.label)
    text = f"{where}: {result.label} {result.score:.2f}"
    text += f"  ({others})" if others else ""
    text += f"  {result.latency_ms.total:.1f} ms"
    return text + ("  [fallback]" if result.fallback else "")
