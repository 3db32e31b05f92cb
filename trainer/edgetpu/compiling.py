"""Compile an int8 model for the Edge TPU with Coral's edgetpu_compiler, and check the result.

The compiler is closed source and runs only on x86-64 Linux; version 16.0 is the last. Its output is not trusted: the
report must be recognized, and the file must be the given model compiled (edge.edgetpu.twin).
"""

import signal
from contextlib import suppress
from dataclasses import dataclass

from edge.edgetpu import twin as twins
from edge.edgetpu.twin import CompiledModel
from edge.errors import ModelError
from edge.printable import counted
from trainer.edgetpu.compatibility import Verdict, judge
from trainer.edgetpu.compiler_call import COMMAND, TIMEOUT_S, Answer, run_compiler
from trainer.edgetpu.compiler_report import CompilerReport, OperatorRow, last_words, parse_report
from trainer.edgetpu.stopping import stopping
from trainer.edgetpu.tflite_graph import Graph, read_graph

__all__ = [
    "COMMAND",
    "TIMEOUT_S",
    "Compiled",
    "CompilerReport",
    "OperatorRow",
    "Twin",
    "check_counts",
    "check_twin",
    "compile_model",
    "parse_report",
]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled model.

    model: the .tflite file.
    facts: what its package holds.
    report: the compiler's output, parsed.
    log: the compiler's output and log as text.
    remarks: warnings.
    """

    model: bytes
    facts: CompiledModel
    report: CompilerReport
    log: str
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Twin:
    """What a compiled model was found to be.

    verdict: which operators it maps.
    facts: what its package holds.
    """

    verdict: Verdict
    facts: CompiledModel


def compile_model(
    model: bytes,
    *,
    command: str = COMMAND,
    timeout_s: float = TIMEOUT_S,
    allow_partial: bool = False,
    teachable: bool = False,
) -> Compiled:
    """Compile `model` with `command` (see trainer.edgetpu.compiler_call).

    teachable: leave the last layer on the CPU, so that the bundle can be taught, and nothing else.
    Raises UnavailableError without a compiler; StorageError if its files do not fit on the disk; ModelError if it
    refuses the model, crashes, takes over timeout_s, maps the model only in part (unless allow_partial, or as
    teachable wants it), or returns something other than this model compiled.
    """
    source = read_graph(model)
    given, options = _stopping(model) if teachable else (model, ())
    answer = run_compiler(given, command, timeout_s, options)
    if answer.model is None or answer.status != 0:
        raise ModelError(f"{_failure(answer)}{_prediction(judge(source))}")
    twin = check_twin(answer.model, model, "the compiler's output", fix="compile again, or with another compiler")
    log = answer.said + (f"\n{answer.log}" if answer.log else "")
    report = parse_report(log)
    check_counts(report, source)
    verdict = twin.verdict
    if teachable:
        _check_teachable(twin, report)
    left = max(report.on_cpu, verdict.on_cpu)
    if left and not (allow_partial or teachable):
        names = report.left_out or verdict.names(on_tpu=False) or "the compiler does not name them"
        raise ModelError(
            f"{left} of {report.on_tpu + report.on_cpu} operators would stay on the CPU ({names}): see "
            "`fieldfare check-edgetpu`, or allow it with --allow-partial"
        )
    return Compiled(answer.model, twin.facts, report, log, remarks(report, verdict))


def _stopping(model: bytes) -> tuple[bytes, tuple[str, ...]]:
    try:
        return stopping(model)
    except ModelError as error:
        raise ModelError(f"{error}; compile it without --teachable") from error


def _check_teachable(twin: Twin, report: CompilerReport) -> None:
    """Raise ModelError if anything but the last layer, and all that is behind it, is left on the CPU."""
    verdict = twin.verdict
    if twin.facts.teachable and report.on_cpu <= verdict.on_cpu:
        return
    left = max(report.on_cpu, verdict.on_cpu)
    names = report.left_out or verdict.names(on_tpu=False) or "the compiler does not name them"
    found = f"{counted(left, 'operator')} would be ({names})" if left else "nothing would be"
    raise ModelError(
        f"the last layer alone should be left on the CPU, so that it can be taught, but {found}: compile it without "
        "--teachable"
    )


def check_twin(compiled: bytes, source: bytes, title: str, *, fix: str = "") -> Twin:
    """Return what the compiled model `compiled` maps, and what its package holds.

    Raises ModelError if it is not `source`, a .tflite, compiled: see edge.edgetpu.twin. title: name of the file in
    messages. fix: advice instead of the usual one."""
    try:
        graph = read_graph(compiled)
    except ModelError as error:
        reason = str(error).removesuffix("; copy it again").removesuffix(": give the .tflite file")
        raise ModelError(f"{title} cannot be read: {reason}; {fix or 'copy it again'}") from error
    try:
        facts = twins.check_twin(compiled, source)
    except ModelError as error:
        raise ModelError(f"{title}: {error}; {fix or 'compile this model with edgetpu_compiler'}") from error
    return Twin(judge(graph), facts)


def check_counts(report: CompilerReport, source: Graph) -> None:
    """Raise ModelError if the compiler reports another number of operators than `source` has."""
    # How the compiler counts the operators inside IF and WHILE is not known, so a model with them is not checked.
    ours = len(source.operators)
    for theirs in (report.on_tpu + report.on_cpu, report.total):
        if theirs is not None and theirs != ours and source.subgraphs == 1:
            raise ModelError(
                f"the compiler reports {theirs} operators, the model has {ours}: "
                "the report is of another model's compilation"
            )


def remarks(report: CompilerReport, twin: Verdict) -> tuple[str, ...]:
    """Return warnings about what is unusual, but no reason to refuse."""
    found = []
    if not report.tested:
        found.append(
            f"compiler version {report.version}: only output of 14.1, 15.0 and 16.0 has been tested, not of this one"
        )
    if report.on_cpu != twin.on_cpu:
        found.append(
            f"the compiler reports {report.on_cpu} operators on the CPU, its file has {twin.on_cpu}: "
            "do they belong together?"
        )
    return tuple(found)


def _failure(answer: Answer) -> str:
    """Return how a failed compilation ended."""
    said = last_words(answer.said)
    # Containers and shells report the end by a signal as the status 128 + signal.
    number = -answer.status if answer.status < 0 else answer.status - 128
    with suppress(ValueError):  # no signal
        return f"the compiler crashed ({signal.Signals(number).name})" + (f": {said}" if said else "")
    if answer.status == 0:
        return "the compiler ended with status 0 but wrote no model_edgetpu.tflite" + (f": {said}" if said else "")
    return f"the compiler refused the model: {said or f'status {answer.status}'}"


def _prediction(verdict: Verdict) -> str:
    """Return what check-edgetpu predicts for a model that the compiler refused."""
    if verdict.outcome == "whole":
        return " (check-edgetpu finds no reason)"
    reason = verdict.refusal or f"first on the CPU {verdict.splits_at or verdict.names(on_tpu=False)}"
    change = f"; change: {verdict.changes[0]}" if verdict.changes else ""
    return f" (check-edgetpu: {reason}{change})"
