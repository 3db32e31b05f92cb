"""fieldfare bench: how fast a bundle runs on this board."""

import sys
from pathlib import Path

import click

from edge.cli.numbers import FloatRange
from edge.cli.streams import quieten_opencv

_STEPS = 1000


@click.command(epilog="Example: fieldfare bench --bundle birds --source picamera2 --seconds 30")
@click.option("--bundle", type=click.Path(path_type=Path), required=True, help="A directory or a .fieldfare file.")
@click.option(
    "--source",
    default="synthetic",
    show_default=True,
    help="A folder, picture or video file, /dev/videoN, picamera2[:N], a URL or synthetic.",
)
@click.option("--seconds", type=FloatRange(1, 3600), default=20.0, show_default=True, help="How long.")
@click.option("--size", metavar="WxH", default="640x480", show_default=True, help="Frame size to ask for.")
@click.option("--fps", type=float, help="Frames a second to ask a camera for.  [default: as fast as it goes]")
@click.option("--runtime", default="auto", show_default=True, help="auto, litert or tflite-runtime.")
@click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, any, usb[:N], pci[:N], or an Edge TPU's place."
)
@click.option("--threads", type=int, default=2, show_default=True, help="CPU threads for inference.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def bench(
    bundle: Path,
    source: str,
    seconds: float,
    size: str,
    fps: float | None,
    runtime: str,
    device: str,
    threads: int,
    as_json: bool,
) -> None:
    """Time each stage from capture to decision on this board, and print tables to paste into an issue.

    Replays and the synthetic camera run as fast as they can, cameras at their own rate. Stop the service
    first: it uses the same cores, camera and Coral.
    """
    quieten_opencv()
    import msgspec

    from edge.benchmark import markdown, measure
    from edge.board import Board
    from edge.capture.opening import open_source
    from edge.config import parse_size, settings_from
    from edge.source_kind import is_live
    from edge.worker.assemble import open_pipeline

    width, height = parse_size(size)
    live = is_live(source)
    camera = {"source": source, "width": width, "height": height, "fps": fps, "realtime": live, "loop": not live}
    engine = {"runtime": runtime, "device": device, "threads": threads}
    settings = settings_from({"bundle": str(bundle), "camera": camera, "engine": engine})
    pipeline = open_pipeline(settings)
    try:
        frames = open_source(settings.camera)
        hidden = not sys.stderr.isatty()
        with click.progressbar(length=_STEPS, label="measuring", file=sys.stderr, hidden=hidden) as bar:
            measured = measure(
                pipeline,
                frames,
                seconds=seconds,
                board=Board(),
                progress=lambda done_s: bar.update(int(_STEPS * done_s / seconds) - bar.pos),
            )
    finally:
        pipeline.classifier.close()
    click.echo(msgspec.json.encode(measured).decode() if as_json else markdown(measured))
