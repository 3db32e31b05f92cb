"""Settings -> concrete sinks. Light: the supervisor imports it."""

import sys
from collections.abc import Callable
from pathlib import Path

from edge.config import Output
from edge.sinks.base import Sink
from edge.sinks.console import ConsoleSink
from edge.sinks.jsonl import JsonFileSink, JsonStreamSink


def build_sinks(output: Output, *, json_lines: bool) -> list[Sink]:
    """The sinks of a run; with json_lines standard output carries JSON and nothing else."""
    makers: list[Callable[[], Sink]] = []
    if json_lines:
        makers.append(lambda: JsonStreamSink(sys.stdout.buffer))
    elif output.console != "off":
        makers.append(lambda: ConsoleSink(sys.stdout, mode=output.console))
    if output.jsonl is not None:
        path = Path(output.jsonl)
        makers.append(lambda: JsonFileSink(path, max_bytes=output.max_mb * 1_000_000, keep=output.keep))
    return [make() for make in makers]
