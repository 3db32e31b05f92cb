"""fieldfare bench: measure how fast a bundle runs on this board."""

import sys
from pathlib import Path
from typing import Any

import click

from edge.cli import options
from edge.cli.apart import apart
from edge.cli.numbers import FloatRange
from edge.cli.streams import echo, echo_json, quieten_opencv

_STEPS = 1000


@click.command(epilog="Example: fieldfare bench --bundle birds --source picamera2 --seconds 30")
@click.option("--bundle", type=click.Path(path_type=Path), required=True, help=options.BUNDLE)
@click.option("--source", default="synthetic", show_default=True, help=options.SOURCES)
@click.option("--seconds", type=FloatRange(1, 3600), default=20.0, show_default=True, help="How long.")
@options.size
@click.option("--fps", type=float, help="Frames a second to set on a camera.  [default: as fast as it goes]")
@options.runtime
@options.device
@options.threads
@options.as_json
@apart("bundle")
def bench(bundle: Path, source: str, seconds: float, size: str | None, as_json: bool, **given: Any) -> None:
    """Time each stage from capture to decision on this board, and print tables to paste into an issue.

    Replays and the synthetic camera run as fast as they can, cameras at their own rate. Stop the service
    first: it uses the same cores, camera and Coral.
    """
    quieten_opencv()
    from edge.board import Board
    from edge.capture.opening import open_source
    from edge.cli.bench.benchmark import markdown, measure
    from edge.config.loading import load_settings, parse_size
    from edge.inference.model_limits import TIMEOUT_S
    from edge.processes.fork import end_after, time_limit
    from edge.source_kind import is_live
    from edge.worker.assemble import open_pipeline

    width, height = (None, None) if size is None else parse_size(size)
    live = is_live(source)
    settings = load_settings(
        None, bundle=str(bundle), source=source, width=width, height=height, realtime=live, loop=not live, **given
    )
    with time_limit(TIMEOUT_S):
        pipeline = open_pipeline(settings)
    try:
        frames = open_source(settings.camera)
        hidden = not sys.stderr.isatty()
        bar = click.progressbar(length=_STEPS, label="measuring", file=sys.stderr, hidden=hidden)

        def progress(done_s: float) -> None:
            end_after(TIMEOUT_S)
            bar.update(int(_STEPS * done_s / seconds) - bar.pos)

        with bar, time_limit(TIMEOUT_S):
            measured = measure(pipeline, frames, seconds=seconds, board=Board(), progress=progress)
    finally:
        pipeline.classifier.close()
    if as_json:
        echo_json(measured)
    else:
        for line in markdown(measured).split("\n"):
            echo(line)
