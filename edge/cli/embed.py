"""fieldfare embed: write the features of pictures."""

import os
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.cli import options
from edge.cli.apart import apart
from edge.cli.network_options import network_options
from edge.cli.streams import complain, echo, echo_json, quieten_opencv
from edge.printable import counted

if TYPE_CHECKING:
    from edge.embedding.source import FeatureSource

# So many are computed at once: 5 MB of pixels at 224.
_BATCH = 32
_MANY = 100


@click.command(
    short_help="Write the features of pictures.",
    epilog="Example: fieldfare embed --bundle birds my-photos --out features.npy",
)
@click.argument("images", type=click.Path(path_type=Path), nargs=-1, required=True)
@network_options()
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE.npy|FILE.parquet", help="File to write.")
@click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a picture on standard output.")
@options.runtime
@options.threads
@apart("bundle")
def embed(
    images: tuple[Path, ...], bundle: Path | None, weights: str | None, out: Path | None, as_json: bool, **given: Any
) -> None:
    """Compute the features of the IMAGES (files, or folders of them) with a bundle's network, or with weights.

    Features are what a network computes just before it chooses a class: similar pictures have similar ones. A file
    FILE.npy gets the names of the pictures in FILE.csv. A picture that cannot be read is reported and the rest go on;
    the exit status is then 65, or 66 if a file is not there.
    """
    quieten_opencv()
    _check(bundle, weights, out, images, as_json=as_json, overwrite=given["overwrite"])
    import numpy as np

    from edge.images import readable_name

    source = _open(bundle, weights, given)
    files: list[str] = []
    rows = []
    status = 0
    for names, features, worst in _batches(images, source):
        status = max(status, worst)
        if as_json:
            for name, row in zip(names, features, strict=True):
                echo_json({"file": readable_name(name), "features": row.tolist()})
        else:
            files += names
            rows.append(features)
    if out is not None and files:
        from edge.embedding.tables import write_features

        write_features(out, files, np.concatenate(rows), overwrite=given["overwrite"])
        pictures = counted(len(files), "picture", grouped=True)
        echo(f"{out}: {pictures}, {source.channels:,} features each, by {source.name}")
    if status:
        raise click.exceptions.Exit(status)


def _check(
    bundle: Path | None,
    weights: str | None,
    out: Path | None,
    images: tuple[Path, ...],
    *,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Raise before any work if the options do not fit together, or the file cannot be written."""
    from edge.bundle.write import check_outside
    from edge.embedding.tables import SUFFIXES, names_beside
    from edge.errors import OutputExistsError
    from edge.storage import check_place, refuse_inputs

    if (bundle is None) == (weights is None):
        raise click.UsageError("give one of --bundle and --weights")
    if (out is None) == (not as_json):
        raise click.UsageError("give one of --out FILE and --json")
    if out is None:
        return
    if out.suffix not in SUFFIXES:
        raise click.UsageError(f"--out {out}: must end in {' or '.join(SUFFIXES)}")
    for path in (out, names_beside(out)) if out.suffix == ".npy" else (out,):
        if path.exists() and (path.is_dir() or not overwrite):
            raise OutputExistsError(f"--out: {path} exists: choose another name or add --overwrite")
        check_outside(path)
        photos = (image for image in images if not image.is_dir())  # features beside a folder's photos change none
        refuse_inputs(path, (*photos, bundle, None if weights is None else Path(weights)))
        check_place(path)


def _open(bundle: Path | None, weights: str | None, given: dict[str, Any]) -> "FeatureSource":
    from edge.bundle.store import open_bundle
    from edge.embedding.source import BundleFeatures
    from edge.errors import INSTALL_TRAIN, MissingPackageError

    if bundle is not None:
        return BundleFeatures(open_bundle(bundle), runtime=given["runtime"] or "auto", threads=given["threads"] or 2)
    for entry in entry_points(group="fieldfare.features", name="weights"):
        try:
            source: FeatureSource = entry.load()(weights, given["alpha"], given["size"])
        except ImportError as error:
            raise MissingPackageError(f"--weights needs the trainer: {INSTALL_TRAIN}") from error
        return source
    raise MissingPackageError(f"--weights needs the trainer: {INSTALL_TRAIN}")


def _batches(images: tuple[Path, ...], source: "FeatureSource") -> Iterator[tuple[list[str], Any, int]]:
    """Yield names, features, and the worst exit status of pictures that could not be read, some pictures at a time."""
    import numpy as np

    from edge.errors import ImageError, MissingInputError
    from edge.images import read_image
    from edge.photo_files import expand
    from edge.preprocess import Preprocessor

    preprocessor = Preprocessor(source.spec, source.tensor)
    names: list[str] = []
    pixels = []
    status = 0
    for path in _shown(list(expand(images))):
        try:
            if isinstance(path, MissingInputError):
                raise path
            pixels.append(preprocessor.pixels(read_image(path)))
            names.append(os.fspath(path))
        except (ImageError, MissingInputError) as error:
            complain(f"fieldfare: {error}")
            status = max(status, error.exit_status)
        if len(names) == _BATCH:
            yield names, source.features(np.stack(pixels)), status
            names, pixels = [], []
    yield names, source.features(np.stack(pixels)) if names else np.empty((0, source.channels)), status


def _shown(wanted: list[Any]) -> Iterator[Any]:
    """Yield each of `wanted`, and show how far it is on a terminal."""
    hidden = len(wanted) < _MANY or not sys.stderr.isatty()
    with click.progressbar(wanted, label="features", file=sys.stderr, hidden=hidden) as bar:
        yield from bar
