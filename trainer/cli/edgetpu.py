"""fieldfare check-edgetpu, compile and bundle add-edgetpu: predict, run and import the Edge TPU compiler's work.

None of these commands needs TensorFlow.
"""

import errno
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.cli.numbers import FloatRange
from edge.cli.streams import echo, echo_json
from edge.errors import MissingInputError, ModelError, UnavailableError
from edge.printable import one_line
from trainer.cli.before_work import begin_long_work

if TYPE_CHECKING:
    from edge.bundle.store import Bundle
    from edge.edgetpu.twin import CompiledModel
    from trainer.edgetpu.compatibility import Verdict
    from trainer.edgetpu.compiler_report import CompilerReport
    from trainer.edgetpu.compiling import Compiled, Twin

NOT_WHOLE = 1
_MAX_BYTES = 1024**3


@click.command(
    "check-edgetpu",
    epilog="Exit statuses: 0 all of it maps, or all but a last layer that can be taught, 1 it maps in part or not at "
    "all, 65 not a model, damaged, a placeholder or another model's twin, 66 no such file. "
    "Example: fieldfare check-edgetpu birds",
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as one JSON object.")
def check_edgetpu(model: Path, as_json: bool) -> None:
    """Predict what of MODEL the Edge TPU would run, without the compiler.

    MODEL is a .tflite file or a bundle. For a model that is already compiled, the command lists what is left on the
    CPU, and what its package holds. For a bundle with a compiled model, it examines both models and whether they
    belong together, and the exit status is that of the compiled one.
    """
    from edge.images import readable_name
    from trainer.cli.edgetpu_text import show_line, show_package, show_verdict

    data, bundle = _open(model)
    verdict, twin, package = _examined(str(model), data, None if bundle is None else bundle.edgetpu_model)
    if as_json:
        echo_json({"model": readable_name(model), "verdict": verdict, "compiled_twin": twin, "package": package})
    else:
        show_verdict(str(model), verdict)
        if (stop := _stop_of(data, verdict)) is not None:
            show_line("teachable", f"if the compiler gets --intermediate_tensors {stop}, as from `compile --teachable`")
        if twin is not None:
            click.echo()
            show_verdict(f"{model}, compiled model", twin)
        if package is not None:
            show_package(package)
    whole = (twin or verdict).outcome == "whole" or (package is not None and package.teachable)
    if not whole:
        raise click.exceptions.Exit(NOT_WHOLE)


@click.command(
    "compile",
    epilog="Exit statuses: 0 done, 65 the compiler refuses the model or maps it in part, 66 no such file, 69 no "
    "compiler, 73 the output exists, 74 the disk is full. Examples: fieldfare compile birds; "
    "fieldfare compile birds --compiler 'ssh builder edgetpu_compiler'; "
    "fieldfare compile birds --compiler 'docker run --rm -v {folder}:{folder} coral edgetpu_compiler'",
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--compiler",
    default="edgetpu_compiler",
    show_default=True,
    metavar="COMMAND",
    help="Command that calls the compiler, as one string. {folder} stands for the folder of the files. If the command "
    "begins with ssh, the files are sent and fetched over it.",
)
@click.option(
    "--timeout", type=FloatRange(1, 86_400), default=300.0, show_default=True, help="Longest wait in seconds."
)
@click.option(
    "--teachable",
    is_flag=True,
    help="Leave the last layer on the CPU, so that `fieldfare teach` can replace it on the device.",
)
@click.option("--allow-partial", is_flag=True, help="Accept a model if some of its operators stay on the CPU.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Bundle or .tflite file to write.  [default: the bundle itself, or MODEL_edgetpu.tflite]",
)
@click.option("--overwrite", is_flag=True, help="Replace a compiled model, or the output if it exists.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def compile_(
    model: Path,
    compiler: str,
    timeout: float,
    teachable: bool,
    allow_partial: bool,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Compile MODEL, a bundle or a .tflite file, for the Coral Edge TPU with Coral's edgetpu_compiler.

    The compiler runs only on x86-64 Linux, but may be in a container or on another machine. A bundle gets the
    compiled model beside the one for the CPU.
    """
    from trainer.edgetpu.compiling import compile_model

    if teachable and allow_partial:
        raise click.UsageError("--teachable and --allow-partial exclude each other: give one")
    begin_long_work()
    data, bundle = _open(model)
    target = _target(model, bundle, out, overwrite=overwrite)
    try:
        compiled = compile_model(
            data, command=compiler, timeout_s=timeout, allow_partial=allow_partial, teachable=teachable
        )
    except ModelError as error:
        raise ModelError(f"{model}: {error}") from error
    except UnavailableError as error:
        raise UnavailableError(f"{error}{_add_later(model, bundle)}") from error
    bundle_id = _store(compiled, bundle, target, overwrite=overwrite)
    _report(target, bundle_id, compiled, as_json=as_json)


@click.command(
    "add-edgetpu",
    epilog="Exit statuses: 0 done, 65 compiled from another model, or only in part, 66 no such file, 73 the bundle "
    "has a compiled model, or the output exists. Example: fieldfare bundle add-edgetpu birds model_edgetpu.tflite "
    "--log model_edgetpu.log",
)
@click.argument("path", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.argument("compiled", type=click.Path(path_type=Path))
@click.option("--log", type=click.Path(path_type=Path), help="What the compiler printed, or its .log file.")
@click.option("--allow-partial", is_flag=True, help="Accept a model if some of its operators stay on the CPU.")
@click.option("--out", type=click.Path(path_type=Path), help="Bundle to write.  [default: BUNDLE itself]")
@click.option("--overwrite", is_flag=True, help="Replace a compiled model, or the output if it exists.")
def add_edgetpu(
    path: Path, compiled: Path, log: Path | None, allow_partial: bool, out: Path | None, overwrite: bool
) -> None:
    """Put COMPILED, the bundle's model after it was compiled for the Edge TPU elsewhere, into BUNDLE.

    Its inputs and outputs must be those of the bundle's model. To compile, take model.tflite out of the bundle; any
    unzip program opens a packed bundle.
    """
    from edge.bundle.store import open_bundle
    from edge.bundle.write import save
    from edge.edgetpu.package import TEACHABLE
    from edge.storage import refuse_inputs
    from trainer.cli.edgetpu_text import memory_of
    from trainer.edgetpu.bundling import with_edgetpu

    bundle = open_bundle(path)
    model = _read(compiled)
    text = None if log is None else _read(log).decode(errors="replace")
    target = _target(path, bundle, out, overwrite=overwrite)
    refuse_inputs(target, (compiled, log))
    twin, report, remarks = _checked(bundle, (compiled, model), (log, text), allow_partial=allow_partial)
    made = with_edgetpu(bundle, target, model, twin.facts, report=report, log=text)
    save(made, overwrite=target.exists())
    for remark in remarks:
        click.echo(one_line(f"warning: {remark}"), err=True)
    part = made.manifest.edgetpu
    left = 0 if part is None else part.operators_on_cpu
    echo(f"{target}: bundle {made.bundle_id}, compiled model of {len(model) / 1e6:.1f} MB, {left} on the CPU")
    echo(memory_of(twin.facts))
    if twin.facts.teachable:
        echo(f"last layer: {TEACHABLE}")
    if report is None:
        echo("the compiler's version is not known: give the compiler's output with --log")


def _checked(
    bundle: "Bundle", compiled: tuple[Path, bytes], log: tuple[Path | None, str | None], *, allow_partial: bool
) -> "tuple[Twin, CompilerReport | None, tuple[str, ...]]":
    """Return what the compiled model is, the report in the log, and warnings.

    Raises ModelError if the compiled model is not the bundle's, if operators stay on the CPU without allow_partial that
    are not those of a last layer to be taught, or if the log is no compiler's output or that of another model."""
    from trainer.edgetpu.compiling import check_counts, check_twin, parse_report, remarks
    from trainer.edgetpu.tflite_graph import read_graph

    path, model = compiled
    source = read_graph(bundle.model)
    try:
        twin = check_twin(model, bundle.model, "the compiled model")
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    try:
        report = None if log[1] is None else parse_report(log[1])
        if report is not None:
            check_counts(report, source)
    except ModelError as error:
        raise ModelError(f"{log[0]}: {error}") from error
    left = max(twin.verdict.on_cpu, 0 if report is None else report.on_cpu)
    may_stay = twin.verdict.on_cpu if twin.facts.teachable else 0
    if left > may_stay and not allow_partial:
        names = twin.verdict.names(on_tpu=False) or (report and report.left_out) or "the compiler does not name them"
        raise ModelError(f"{path}: {left} operators stay on the CPU ({names}): allow it with --allow-partial")
    return twin, report, () if report is None else remarks(report, twin.verdict)


def _examined(name: str, data: bytes, compiled: bytes | None) -> "tuple[Verdict, Verdict | None, CompiledModel | None]":
    """Return the verdicts on a model and on its compiled twin, and what the twin's package holds.

    Raises ModelError if one of the two is damaged, or if the compiled one is a placeholder or another model's."""
    from edge.edgetpu.twin import check_twin, read_compiled
    from trainer.edgetpu.compatibility import judge
    from trainer.edgetpu.tflite_graph import read_graph

    try:
        verdict = judge(read_graph(data))
        package = read_compiled(data) if verdict.compiled else None
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error
    if compiled is None:
        return verdict, None, package
    try:
        return verdict, judge(read_graph(compiled)), check_twin(compiled, data)
    except ModelError as error:
        raise ModelError(f"{name}, compiled model: {error}") from error


def _stop_of(data: bytes, verdict: "Verdict") -> str | None:
    """Return by which name the compiler can be called so that it leaves the last layer of this model on the CPU."""
    from trainer.edgetpu.stopping import stopping

    if verdict.compiled or verdict.outcome == "refused":
        return None
    try:
        given, (_, name) = stopping(data)
    except ModelError:  # no last layer that can be taught
        return None
    return name if given is data else None


def _add_later(model: Path, bundle: "Bundle | None") -> str:
    if bundle is None:
        return ""
    add = f"fieldfare bundle add-edgetpu {shlex.quote(str(model))} model_edgetpu.tflite --log words.txt"
    return f"; compile it elsewhere and add it: {add}"


def _open(path: Path) -> "tuple[bytes, Bundle | None]":
    """Return the model for the CPU, and the bundle if `path` is one."""
    from edge.bundle.store import PACK_SUFFIX, open_bundle
    from edge.teaching.remembering import bare

    try:
        packed = path.is_dir() or path.suffix == PACK_SUFFIX
    except OSError as error:  # such as a name of over 255 bytes
        raise MissingInputError(f"{path}: cannot read: {error.strerror or error}") from error
    if packed:
        bundle = open_bundle(path)
        return bare(bundle.model), bundle  # the compiler does not know examples behind a model
    return _read(path), None


def _read(path: Path) -> bytes:
    from edge.storage import read_bounded

    try:
        return read_bounded(path, _MAX_BYTES, pipe=True)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise ModelError(f"{path}: more than {_MAX_BYTES >> 20} MiB: not a model for an Edge TPU") from error
        raise MissingInputError(f"{path}: cannot read: {error.strerror or error}") from error


def _target(path: Path, bundle: "Bundle | None", out: Path | None, *, overwrite: bool) -> Path:
    """Return the path of the result. Raises OutputExistsError, before any work, if it cannot be written."""
    from edge.bundle.write import check_outside, check_target
    from edge.errors import OutputExistsError
    from edge.storage import refuse_inputs

    if bundle is None:
        target = out or path.with_name(f"{path.stem}_edgetpu.tflite")
        if target.suffix == ".log":
            raise click.UsageError(f"--out {target}: the compiler's log is written there: choose a name in .tflite")
        check_outside(target)
        refuse_inputs(target, (path,))
        refuse_inputs(target.with_suffix(".log"), (path,))
        for taken in (target, target.with_suffix(".log")):
            if taken.exists() and not overwrite:
                raise OutputExistsError(f"{taken} exists: choose another name with --out or add --overwrite")
        return target
    if out is None and bundle.edgetpu_model is not None and not overwrite:
        raise OutputExistsError(
            f"{path} has a compiled model: replace it with --overwrite, or write another with --out"
        )
    return check_target(out or path, overwrite=overwrite or out is None)


def _store(compiled: "Compiled", bundle: "Bundle | None", target: Path, *, overwrite: bool) -> str | None:
    """Write the new bundle, or the compiled model and its log. Returns the bundle's id, if there is a bundle."""
    from edge.bundle.write import save
    from edge.storage import write_file
    from trainer.edgetpu.bundling import with_edgetpu

    if bundle is None:
        write_file(target, compiled.model, overwrite=overwrite)
        write_file(target.with_suffix(".log"), compiled.log.encode(), overwrite=overwrite)
        return None
    made = with_edgetpu(bundle, target, compiled.model, compiled.facts, report=compiled.report, log=compiled.log)
    save(made, overwrite=target.exists())
    return made.bundle_id


def _report(target: Path, bundle_id: str | None, compiled: "Compiled", *, as_json: bool) -> None:
    from edge.edgetpu.package import TEACHABLE
    from trainer.cli.edgetpu_text import memory_of, show_line

    report = compiled.report
    for remark in compiled.remarks:
        click.echo(one_line(f"warning: {remark}"), err=True)
    if as_json:
        outcome = {
            "out": str(target),
            "bundle": bundle_id,
            "report": report,
            "package": compiled.facts,
            "remarks": compiled.remarks,
        }
        echo_json(outcome)
        return
    show_line("written", f"{target}" + ("" if bundle_id is None else f", bundle {bundle_id}"))
    show_line("compiler", report.version)
    show_line("operators", f"{report.on_tpu} on the Edge TPU, {report.on_cpu} on the CPU")
    if report.left_out:
        show_line("on the CPU", report.left_out)
    if compiled.facts.teachable:
        show_line("last layer", TEACHABLE)
    show_line("memory", memory_of(compiled.facts))
