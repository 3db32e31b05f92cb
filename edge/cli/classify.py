"""fieldfare classify: pictures from files."""

from pathlib import Path

import click


@click.command(epilog="Example: fieldfare classify birds owl.jpg wren.jpg --json")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("images", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--runtime", default="auto", help="auto, litert or tflite-runtime.", show_default=True)
@click.option(
    "--device", default="auto", help="auto, cpu, any, usb[:N], pci[:N], or an Edge TPU's place.", show_default=True
)
@click.option("--threads", type=int, default=2, help="CPU threads for inference.", show_default=True)
@click.option("--top", type=int, default=3, help="How many candidates to report.", show_default=True)
@click.option("--threshold", type=float, help="Best scores under it are 'unknown'.  [default: the bundle's]")
@click.option("--json", "json_lines", is_flag=True, help="One JSON object a line.")
def classify(
    bundle: Path,
    images: tuple[Path, ...],
    runtime: str,
    device: str,
    threads: int,
    top: int,
    threshold: float | None,
    json_lines: bool,
) -> None:
    """Say what is on each of the IMAGES (files, or folders of them) with the BUNDLE.

    A picture that cannot be read is reported and the rest go on; the exit status is then 65, or 66 where a
    file is not there.
    """
    from edge.cli.assemble import open_pipeline
    from edge.cli.outputs import build_sinks
    from edge.clock import stamp
    from edge.config import Output, settings_from
    from edge.errors import ImageError, MissingInputError
    from edge.images import read_image, readable_name
    from edge.records import Frame

    settings = settings_from(
        {
            "bundle": str(bundle),
            "engine": {"runtime": runtime, "device": device, "threads": threads},
            "decision": {"top": top, "threshold": threshold},
        }
    )
    pipeline = open_pipeline(settings)
    if pipeline.fallback is not None:
        click.echo(f"fieldfare: from the CPU: {pipeline.fallback}", err=True)
    (sink,) = build_sinks(Output(), json_lines=json_lines)
    status = 0
    for number, path in enumerate(_expand(images)):
        try:
            frame = Frame(read_image(path), number, *stamp(), name=readable_name(path))
        except (ImageError, MissingInputError) as error:
            click.echo(f"fieldfare: {error}", err=True)
            status = max(status, error.exit_status)
            continue
        sink.write(pipeline.process(frame))
    sink.close()
    pipeline.classifier.close()
    if status:
        raise click.exceptions.Exit(status)


def _expand(images: tuple[Path, ...]) -> list[Path]:
    from edge.errors import MissingInputError
    from edge.images import find_images

    paths: list[Path] = []
    for path in images:
        if path.is_dir():
            found = find_images(path)
            if not found:
                raise MissingInputError(f"{path}: no pictures there (JPEG, PNG, BMP, WebP, TIFF)")
            paths += found
        else:
            paths.append(path)
    return paths
