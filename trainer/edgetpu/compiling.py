"""Compile an int8 model for the Edge TPU with Coral's edgetpu_compiler, and check the result.

The compiler is closed source and runs only on x86-64 Linux; version 16.0 is the last. Its output is not trusted: the
report must be recognized, and the file must be a compiled model with the inputs and outputs of the given one.
"""

import signal
from contextlib import suppress
from dataclasses import dataclass

from edge.errors import ModelError
from trainer.edgetpu.compatibility import Verdict, judge
from trainer.edgetpu.compiler_call import COMMAND, TIMEOUT_S, Answer, run_compiler
from trainer.edgetpu.compiler_report import CompilerReport, OperatorRow, last_words, parse_report
from trainer.edgetpu.tflite_graph import Graph, Tensor, read_graph

__all__ = [
    "COMMAND",
    "TIMEOUT_S",
    "Compiled",
    "CompilerReport",
    "OperatorRow",
    "check_counts",
    "check_twin",
    "compile_model",
    "parse_report",
]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled model.

    model: the .tflite file.
    report: the compiler's output, parsed.
    log: the compiler's output and log as text.
    remarks: warnings.
    """

    model: bytes
    report: CompilerReport
    log: str
    remarks: tuple[str, ...] = ()


def compile_model(
    model: bytes, *, command: str = COMMAND, timeout_s: float = TIMEOUT_S, allow_partial: bool = False
) -> Compiled:
    """Compile `model` with `command` (see trainer.edgetpu.compiler_call).

    Raises UnavailableError without a compiler; StorageError if its files do not fit on the disk; ModelError if it
    refuses the model, crashes, takes over timeout_s, maps the model only in part (unless allow_partial), or returns
    something other than this model compiled.
    """
    source = read_graph(model)
    answer = run_compiler(model, command, timeout_s)
    if answer.model is None or answer.status != 0:
        raise ModelError(f"{_failure(answer)}{_prediction(judge(source))}")
    twin = check_twin(answer.model, source, "the compiler's output", fix="compile again, or with another compiler")
    log = answer.said + (f"\n{answer.log}" if answer.log else "")
    report = parse_report(log)
    check_counts(report, source)
    left = max(report.on_cpu, twin.on_cpu)
    if left and not allow_partial:
        names = report.left_out or twin.names(on_tpu=False) or "the compiler does not name them"
        raise ModelError(
            f"{left} of {report.on_tpu + report.on_cpu} operators would stay on the CPU ({names}): see "
            "`fieldfare check-edgetpu`, or allow it with --allow-partial"
        )
    return Compiled(answer.model, report, log, remarks(report, twin))


def check_twin(compiled: bytes, source: Graph, title: str, *, fix: str = "copy it again") -> Verdict:
    """Return what the compiled model `compiled` maps.

    Raises ModelError if it is no compiled model, or its inputs and outputs differ from those of `source` in shape,
    type, scale or zero point. title: name of the file in messages. fix: advice if the file itself is bad."""
    try:
        graph = read_graph(compiled)
    except ModelError as error:
        reason = str(error).removesuffix("; copy it again").removesuffix(": give the .tflite file")
        raise ModelError(f"{title} cannot be read: {reason}; {fix}") from error
    if not graph.compiled:
        raise ModelError(f"{title} holds no operator for the Edge TPU (edgetpu-custom-op): nothing was mapped")
    for side, theirs, ours in (
        ("input", graph.present(graph.inputs), source.present(source.inputs)),
        ("output", graph.present(graph.outputs), source.present(source.outputs)),
    ):
        if len(theirs) != len(ours):
            raise ModelError(f"{title} has {len(theirs)} {side}s, the model {len(ours)}: compiled from another model")
        for tensor, expected in zip(theirs, ours, strict=True):
            if _face(tensor) != _face(expected):
                raise ModelError(
                    f"{title}: {side} {_face(tensor)}, must be {_face(expected)} as in the model: "
                    "compiled from another model"
                )
    return judge(graph)


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


def _face(tensor: Tensor) -> str:
    shape = "x".join(map(str, tensor.shape))
    return f"{shape} {tensor.dtype.lower()} scale {tensor.scale:g} zero point {tensor.zero_point}"


def _prediction(verdict: Verdict) -> str:
    """Return what check-edgetpu predicts for a model that the compiler refused."""
    if verdict.outcome == "whole":
        return " (check-edgetpu finds no reason)"
    reason = verdict.refusal or f"first on the CPU {verdict.splits_at or verdict.names(on_tpu=False)}"
    change = f"; change: {verdict.changes[0]}" if verdict.changes else ""
    return f" (check-edgetpu: {reason}{change})"
