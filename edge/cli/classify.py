"""fieldfare classify: classify pictures from files."""

from pathlib import Path
from typing import Any

import click

from edge.cli import options
from edge.cli.apart import apart
from edge.cli.streams import complain, quieten_opencv


@click.command(epilog="Example: fieldfare classify birds owl.jpg wren.jpg --json")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("images", type=click.Path(path_type=Path), nargs=-1, required=True)
@options.runtime
@options.device
@options.threads
@options.top
@options.threshold
@click.option("--json", "json_lines", is_flag=True, help="One JSON object a line.")
@apart("bundle")
def classify(bundle: Path, images: tuple[Path, ...], json_lines: bool, **given: Any) -> None:
    """Classify each of the IMAGES (files, or folders of them) with the BUNDLE.

    A picture that cannot be read is reported and the rest go on; the exit status is then 65, or 66 if a
    file is not there or a folder has no pictures.
    """
    quieten_opencv()
    from edge.cli.outputs.sinks import build_sinks
    from edge.clock import stamp
    from edge.config.loading import load_settings
    from edge.config.running import Output
    from edge.errors import ImageError, MissingInputError
    from edge.images import read_image, readable_name
    from edge.inference.model_limits import TIMEOUT_S
    from edge.photo_files import expand
    from edge.processes.fork import time_limit
    from edge.records import Frame
    from edge.worker.assemble import open_pipeline

    settings = load_settings(None, bundle=str(bundle), **given)
    with time_limit(TIMEOUT_S):
        pipeline = open_pipeline(settings)
    if pipeline.fallback is not None:
        complain(f"fieldfare: from the CPU: {pipeline.fallback}")
    (sink,) = build_sinks(Output(), json_lines=json_lines)
    status = 0
    for number, path in enumerate(expand(images)):
        try:
            if isinstance(path, MissingInputError):
                raise path
            frame = Frame(read_image(path), number, *stamp(), name=readable_name(path))
        except (ImageError, MissingInputError) as error:
            complain(f"fieldfare: {error}")
            status = max(status, error.exit_status)
            continue
        with time_limit(TIMEOUT_S):
            result = pipeline.process(frame)
        sink.write(result)
        del frame, result  # 300 MB for 100 megapixels, beside the next picture
    sink.close()
    pipeline.classifier.close()
    if status:
        raise click.exceptions.Exit(status)
