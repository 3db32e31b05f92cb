"""fieldfare bundle: show, verify, pack and import model bundles."""

import sys
from collections import Counter
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.cli import options
from edge.cli.apart import apart
from edge.cli.streams import complain, echo, echo_json
from edge.printable import counted

if TYPE_CHECKING:
    from edge.bundle.manifest import EdgeTpu
    from edge.bundle.store import Bundle
    from edge.edgetpu.twin import CompiledModel
    from edge.importing.importer import Question


class BundleCommands(click.Group):
    """The commands below, and those that other packages name under `fieldfare.bundle_commands`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List their names, as click.Group does."""
        plugged = {entry.name for entry in entry_points(group="fieldfare.bundle_commands")}
        return sorted(plugged.union(super().list_commands(ctx)))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one, as click.Group does; None if there is no such command."""
        found = super().get_command(ctx, cmd_name)
        for entry in entry_points(group="fieldfare.bundle_commands", name=cmd_name) if found is None else ():
            command = entry.load()
            return command if isinstance(command, click.Command) else None
        return found


@click.group(cls=BundleCommands)
def bundle() -> None:
    """Model bundles: what crosses from the desktop to the device.

    A bundle is a directory, or the same packed in one .fieldfare file; every command takes either.
    """


@bundle.command(epilog="Example: fieldfare bundle show birds")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The manifest and the bundle's id as JSON.")
def show(path: Path, as_json: bool) -> None:
    """Show what is in the bundle at PATH. Hashes are checked; the model is not run."""

    from edge.bundle.store import open_bundle

    opened = open_bundle(path)
    if as_json:
        record = {"id": opened.bundle_id, "labels": opened.labels, "manifest": opened.manifest}
        echo_json(record)
        return
    for title, value in _description(opened):
        echo(f"{title:<14} {value}")


@bundle.command(epilog="Example: fieldfare bundle verify birds.fieldfare")
@click.argument("path", type=click.Path(path_type=Path))
@options.runtime
@click.option("--json", "as_json", is_flag=True, help="The outcome as one JSON object.")
@apart("path")
def verify(path: Path, runtime: str | None, as_json: bool) -> None:
    """Check the bundle at PATH: every hash, the model's tensors against the manifest, the golden inputs. A compiled
    model must be the twin of the model for the CPU; it is not run.

    Status 0 if all holds, 65 if anything does not, 66 if there is no bundle.
    """

    from edge.bundle.labels import check_unmistakable, twins
    from edge.bundle.store import open_bundle
    from edge.config.loading import load_settings
    from edge.config.settings import NO_BUNDLE
    from edge.edgetpu.package import TEACHABLE
    from edge.errors import BundleError, EngineError
    from edge.inference import golden
    from edge.inference.model_limits import MEMORY_BYTES, TIMEOUT_S
    from edge.inference.runtime import load_runtime
    from edge.inference.tflite import TfliteClassifier, check_details
    from edge.preprocess import Preprocessor
    from edge.processes.fork import memory_limit, time_limit

    engine = load_settings(None, bundle=NO_BUNDLE, runtime=runtime).engine
    opened, loaded = open_bundle(path), load_runtime(engine.runtime)
    manifest = opened.manifest
    try:
        with time_limit(TIMEOUT_S), memory_limit(MEMORY_BYTES):
            classifier = TfliteClassifier(loaded, opened.model)
            check_details(classifier, manifest)
            check_unmistakable(opened.labels)
            report = golden.require(opened, classifier, Preprocessor(manifest.preprocessing, manifest.input))
            compiled = _checked_twin(opened)
    except (EngineError, BundleError) as error:
        raise BundleError(f"bundle {path}: {error}") from error
    if as_json:
        outcome = {"bundle": opened.bundle_id, "engine": classifier.engine, "golden": report, "compiled": compiled}
        echo_json(outcome)
        return
    echo(f"{counted(len(manifest.files), 'file')}, {opened.size / 1e6:.1f} MB: sizes and SHA-256 match the manifest")
    echo(f"tensors match the manifest ({classifier.engine})")
    echo(
        f"{report.cases} golden inputs: pixels differ by {report.worst_pixel} steps (at most "
        f"{manifest.golden.pixel_tolerance}), outputs by {report.worst_output} "
        f"(at most {manifest.golden.output_tolerance})"
    )
    if compiled is not None:
        last = f"; the last layer {TEACHABLE}" if compiled.teachable else ""
        echo(f"the compiled model is its twin, for the Edge TPU runtime {compiled.min_runtime} or newer{last}")
    for label, outputs in twins(opened.labels).items():
        echo(f"note: {len(outputs)} outputs are called {_shorten(label)!r}: results do not show which of them it was")
    echo(f"bundle {opened.bundle_id} is sound")


def _checked_twin(opened: "Bundle") -> "CompiledModel | None":
    """Return what the bundle's compiled model holds; None if it has none. Raises BundleError if it is a placeholder,
    damaged, or another model's: nobody sees that from its hash."""
    from edge.edgetpu.twin import check_twin
    from edge.errors import BundleError, ModelError

    if opened.edgetpu_model is None:
        return None
    try:
        return check_twin(opened.edgetpu_model, opened.model)
    except ModelError as error:
        raise BundleError(f"compiled model: {error}: compile again, or add its own with --overwrite") from error


@bundle.command(epilog="Example: fieldfare bundle pack birds --out /media/stick/birds.fieldfare")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="File to write.  [default: PATH.fieldfare]")
@click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")
def pack(path: Path, out: Path | None, overwrite: bool) -> None:
    """Put the bundle at PATH into one file, to carry on a stick."""
    from edge.bundle.store import PACK_SUFFIX, open_bundle, pack_bytes
    from edge.bundle.write import check_target
    from edge.storage import refuse_inputs, write_file

    opened = open_bundle(path)
    target = out or path.resolve().with_name(path.resolve().name + PACK_SUFFIX)
    if target.suffix != PACK_SUFFIX:
        raise click.UsageError(f"--out {target}: the name must end in {PACK_SUFFIX}")
    target = check_target(target, overwrite=overwrite)
    refuse_inputs(target, (path,))
    data = pack_bytes(opened)
    write_file(target, data, overwrite=overwrite)
    echo(f"{target}: {len(data) / 1e6:.1f} MB, bundle {opened.bundle_id}")


@bundle.command(
    "import",
    epilog="Example: fieldfare bundle import mobilenet.tflite --labels labels.txt --resize squash --out birds",
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Bundle to write.")
@click.option(
    "--labels", type=click.Path(path_type=Path), help="A label for each output: one a line, in their order or numbered."
)
@click.option("--normalize", help="Pixels as the network saw them: -1..1, 0..1, 0..255 or MEAN,STD.")
@click.option("--channel-order", type=click.Choice(["rgb", "bgr"]))
@click.option(
    "--resize",
    type=click.Choice(["squash", "crop", "letterbox"]),
    help="How pictures of another shape are fitted: squeezed, cut to the middle, or with bars.",
)
@click.option("--pad", type=click.IntRange(0, 255), help="letterbox: brightness of the bars.  [default: 127]")
@click.option(
    "--crop-fraction", help="crop: share of the cut-out's sides to use, such as 0.875; at most 1.  [default: 1]"
)
@click.option("--activation", type=click.Choice(["logits", "probabilities"]), help="What the outputs are.")
@click.option(
    "--sample",
    "samples",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A photo for the golden inputs; may be given several times.  [default: synthetic pictures]",
)
@click.option(
    "--taxonomy", type=click.Path(path_type=Path), help="A CSV of what the labels stand for: docs/bundle.md#taxonomy."
)
@options.runtime
@click.option("--overwrite", is_flag=True, help="Replace the bundle if it exists.")
def import_(
    model: Path,
    out: Path,
    labels: Path | None,
    normalize: str | None,
    crop_fraction: str | None,
    samples: tuple[Path, ...],
    runtime: str | None,
    overwrite: bool,
    **told: Any,
) -> None:
    """Wrap a full-int8 classifier made elsewhere (MODEL, a .tflite) into a bundle.

    What the file holds is taken from it: shapes, types, quantization, and the normalization, colours and
    labels that TFLite metadata may have. For the rest, a terminal shows a question; a script gets an error
    that names the option.
    """
    from edge.bundle.write import check_target, save
    from edge.config.loading import load_settings
    from edge.config.settings import NO_BUNDLE
    from edge.images import read_image
    from edge.importing.importer import Told, import_model
    from edge.importing.normalization import parse_normalize
    from edge.inference.golden import shrink
    from edge.storage import refuse_inputs

    engine = load_settings(None, bundle=NO_BUNDLE, runtime=runtime).engine
    check_target(out, overwrite=overwrite)
    refuse_inputs(out, (model, labels, told["taxonomy"], *samples))
    try:
        parsed = None if normalize is None else parse_normalize(normalize)
    except ValueError as error:
        raise click.UsageError(f"--normalize {error}") from error
    made = import_model(
        model,
        out,
        Told(labels=labels, normalize=parsed, crop_fraction=_parse_share(crop_fraction), **told),
        _ask,
        runtime=engine.runtime,
        samples_bgr=[shrink(read_image(path)) for path in samples],
        warn=lambda text: complain(f"fieldfare: warning: {text}"),
    )
    save(made, overwrite=overwrite)
    for title, value in _description(made):
        echo(f"{title:<14} {value}")


def _parse_share(text: str | None) -> float | None:
    """Not click.FloatRange: it takes nan."""
    if text is None:
        return None
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise click.UsageError(f"--crop-fraction {text[:80]!r}: must be a number above 0, to 1")
    return share


def _ask(question: "Question") -> str:
    if not sys.stdin.isatty():
        raise click.UsageError(
            f"the file does not show {question.explanation}: add {question.option} {' | '.join(question.choices)}"
        )
    click.echo(f"The file does not show {question.explanation}.", err=True)
    if "MEAN,STD" in question.choices:
        return str(click.prompt(f"{question.option} ({', '.join(question.choices)})", err=True))
    return str(click.prompt(question.option, type=click.Choice(question.choices), err=True))


def _description(opened: "Bundle") -> list[tuple[str, str]]:
    from edge.edgetpu.package import TEACHABLE

    manifest = opened.manifest
    tensor, prep, metrics = manifest.input, manifest.preprocessing, manifest.metrics
    rows = [
        ("bundle", f"{opened.path}  id {opened.bundle_id}"),
        (
            "name",
            f"{manifest.name}, {manifest.origin.kind} from {manifest.origin.source}, {manifest.created}",
        ),
        ("labels", f"{len(opened.labels)}: {_shorten(', '.join(opened.labels))}"),
        ("input", f"{tensor.width}x{tensor.height} {prep.channel_order} {tensor.dtype}, {prep.resize}"),
        ("preparation", ", ".join(prep.preparation) or "none"),
        ("normalization", f"(pixel - {_triple(prep.mean)}) / {_triple(prep.std)}"),
        ("output", f"{manifest.output.classes} {manifest.output.dtype} {manifest.output.activation}"),
        (
            "calibration",
            f"{manifest.calibration.method}, temperature {manifest.calibration.temperature:g}, "
            f"{_biases(manifest.calibration.bias)}{_thresholds(opened)}",
        ),
    ]
    if manifest.architecture is not None:
        net = manifest.architecture
        rows.insert(2, ("network", f"{net.family} {net.alpha:g}, weights {net.weights}, seed {net.seed}"))
    if metrics is not None:
        figures = f"int8 {metrics.top1_int8:.1%}" if metrics.top1_int8 is not None else ""
        figures += f", float {metrics.top1_float:.1%}" if metrics.top1_float is not None else ""
        rows.append(("top-1", f"{figures} of {metrics.photos} photos ({metrics.split} split)"))
    else:
        rows.append(("top-1", "not measured"))
    rows.append(("Edge TPU", _edgetpu(manifest.edgetpu)))
    if _is_teachable(opened.edgetpu_model):
        rows.append(("last layer", TEACHABLE))
    if manifest.taxonomy is not None:
        rows.append(("taxonomy", _taxonomy(opened)))
    if (cut := manifest.cut) is not None:
        rows.append(("photos", f"cut around boxes, padding {cut.padding:g}, up to {cut.slack:.2f}:1"))
    rows.append(("files", f"{len(manifest.files)}, {opened.size / 1e6:.1f} MB"))
    return rows


def _edgetpu(tpu: "EdgeTpu | None") -> str:
    if tpu is None:
        return "no compiled model"
    mapped = f"{tpu.operators_on_tpu} operators on the TPU, " if tpu.operators_on_tpu is not None else ""
    version = f"compiler {tpu.compiler_version}" if tpu.compiler_version is not None else "compiler not known"
    memory = ""
    if tpu.on_chip_bytes is not None:
        memory = f", {tpu.on_chip_bytes / 2**20:.1f} MiB on chip, {(tpu.off_chip_bytes or 0) / 2**20:.1f} MiB streamed"
    return f"{mapped}{tpu.operators_on_cpu} on the CPU ({version}{memory})"


def _is_teachable(model: bytes | None) -> bool:
    from edge.edgetpu.twin import read_compiled
    from edge.errors import ModelError

    try:
        return model is not None and read_compiled(model).teachable
    except ModelError:  # what is wrong with it is for `bundle verify`
        return False


def _taxonomy(opened: "Bundle") -> str:
    from edge.errors import DataError
    from edge.events.taxonomy import load_taxonomy

    name = opened.manifest.taxonomy
    try:
        taxonomy = load_taxonomy(None, opened)
    except DataError as error:
        return f"{name}, which cannot be used: {error}"
    taxa = [taxon for label in opened.labels if taxonomy and (taxon := taxonomy.of(label)) is not None]
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(taxon.kind for taxon in taxa).most_common())
    return f"{name}, {len(taxa)} of {len(opened.labels)} labels{f': {kinds}' if kinds else ''}"


def _triple(values: tuple[float, float, float]) -> str:
    return f"{values[0]:g}" if len(set(values)) == 1 else "/".join(f"{v:g}" for v in values)


def _biases(values: tuple[float, ...] | None) -> str:
    return "" if values is None else f"bias {min(values):g} to {max(values):g}, "


def _thresholds(opened: "Bundle") -> str:
    usual = opened.manifest.calibration.threshold
    of_labels = zip(opened.labels, opened.thresholds, strict=True)
    own = [f"{label} {threshold:g}" for label, threshold in of_labels if threshold != usual]
    return f"threshold {usual:g}" + (f", but {_shorten(', '.join(own))}" if own else "")


def _shorten(text: str, limit: int = 70) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."
