"""Build the sinks that the settings name. Imports nothing heavy: the supervisor uses it."""

import sys
from collections.abc import Callable
from pathlib import Path

from edge.cli.streams import is_stdout_closed
from edge.config.running import Output
from edge.errors import StorageError
from edge.sinks.base import Sink
from edge.sinks.console import ConsoleSink
from edge.sinks.jsonl import JsonFileSink, JsonStreamSink


def build_sinks(output: Output, *, json_lines: bool, patient: bool = False) -> list[Sink]:
    """Build the sinks of a run.

    - json_lines: standard output carries JSON and nothing else.
    - patient: a file that cannot be opened is tried again with every result; otherwise it raises StorageError.

    Raises StorageError if standard output is needed and closed.
    """
    if (json_lines or output.console != "off") and is_stdout_closed():
        raise StorageError("standard output: closed")
    makers: list[Callable[[], Sink]] = []
    if json_lines:
        makers.append(lambda: JsonStreamSink(sys.stdout.buffer))
    elif output.console != "off":
        makers.append(lambda: ConsoleSink(sys.stdout, mode=output.console))
    if output.jsonl is not None:
        path = Path(output.jsonl)
        max_bytes = output.max_mb * 1_000_000
        makers.append(lambda: JsonFileSink(path, max_bytes=max_bytes, keep=output.keep, patient=patient))
    return [make() for make in makers]
