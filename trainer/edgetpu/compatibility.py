"""Predict, without the compiler, what of a model's graph the Edge TPU compiler will map. Pure.

The rule by which the compiler divides a graph was derived from Coral's pairs of models, and agrees with its
documentation ("the first part runs on the Edge TPU"):

1. Operators are taken in their order of execution and collected into parts. A part is all for the Edge TPU or all for
   the CPU, and holds every operator of its kind whose inputs are available by then.
2. The first part for the Edge TPU is mapped, even if operators for the CPU come before it (MoveNet begins with two).
3. Everything later stays on the CPU, supported or not: "More than one subgraph is not supported".
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from trainer.edgetpu.operator_limits import EIGHT_BITS, FULL_INTEGER_FIX, Reason, activations, why_not
from trainer.edgetpu.operators import (
    MAPPED,
    NOT_QUANTIZED,
    NOT_STATIC,
    ON_CHIP_HIGH,
    ON_CHIP_LOW,
    ONE_SUBGRAPH,
    READABLE,
    REPORTED_UNREADABLE,
    SEEN,
)
from trainer.edgetpu.tflite_graph import Graph, Operator

Outcome = Literal["whole", "partial", "refused"]
_SPLIT = Reason(ONE_SUBGRAPH, "", "")
_REFUSED = Reason("", "the compiler refuses the whole model", "")
_LEFT = Reason("", "left on the CPU by the compiler", "")
_LARGER_PART = (
    "that the first part is mapped although a later one is larger (google-coral/edgetpu issue 461 reports the contrary)"
)


class OperatorVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Operators of one name, version and outcome, counted together.

    status: the compiler's wording, or ours if that is not known.
    detail: what in this model leads to it.
    seen: whether a mapping of this version has been seen; also True if the operator is not mapped.
    """

    operator: str
    version: int
    count: int
    maps: bool
    status: str
    detail: str = ""
    seen: bool = True


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """The constants of the mapped operators, compared with the on-chip memory.

    size: in bytes.
    fits: "perhaps" if the memory that is left for them decides.
    streamed: (at least, at most) in bytes, at each inference.
    """

    size: int
    fits: Literal["yes", "perhaps", "no"]
    streamed: tuple[int, int]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The prediction for a model, or the facts if it is compiled.

    compiled: whether the model is the compiler's output. How many operators its parts contain is then not known.
    on_tpu, on_cpu: how many operators run there; on_tpu is None for a compiled model.
    rows: the operators, in order of execution.
    edgetpu_parts: for a compiled model, how many parts run on the Edge TPU.
    refusal: why the compiler maps nothing of the model.
    splits_at: the first operator that keeps itself, and what depends on it, on the CPU.
    parameters: None if nothing is mapped, or the model is compiled.
    changes: what to change so that more is mapped.
    not_seen: the parts of the prediction that rest on no mapping that was seen.
    """

    outcome: Outcome
    compiled: bool
    on_tpu: int | None
    on_cpu: int
    rows: tuple[OperatorVerdict, ...]
    edgetpu_parts: int = 0
    refusal: str | None = None
    splits_at: str | None = None
    parameters: Parameters | None = None
    changes: tuple[str, ...] = ()
    not_seen: tuple[str, ...] = ()

    def names(self, *, on_tpu: bool) -> str:
        """Return the operators of one side, as 'CONV_2D x2, ARG_MAX', in order of execution."""
        counts: dict[str, int] = {}
        for row in self.rows:
            if row.maps == on_tpu:
                counts[row.operator] = counts.get(row.operator, 0) + row.count
        return ", ".join(name if count == 1 else f"{name} x{count}" for name, count in counts.items())


def judge(graph: Graph) -> Verdict:
    """Predict what the compiler maps of `graph`; if that is the compiler's output, return what it mapped."""
    if graph.compiled:
        return _compiled(graph)
    reasons = [why_not(operator, graph) for operator in graph.operators]
    for_tpu = [part for kind, part in parts(graph, [reason is None for reason in reasons]) if kind]
    mapped = set(for_tpu[0]) if for_tpu else set()
    larger = max(map(len, for_tpu), default=0) > len(mapped)
    refusal, refusal_fix, refusal_seen = _refusal(graph, mapped)
    if refusal is not None:
        mapped = set()
    fates = [
        None if number in mapped else reason or (_SPLIT if refusal is None else _REFUSED)
        for number, reason in enumerate(reasons)
    ]
    outcome: Outcome = "refused" if not mapped else "whole" if len(mapped) == len(reasons) else "partial"
    return Verdict(
        outcome=outcome,
        compiled=False,
        on_tpu=len(mapped),
        on_cpu=len(reasons) - len(mapped),
        rows=_rows(graph.operators, fates),
        refusal=refusal,
        splits_at=_split(graph, reasons, mapped),
        parameters=_parameters(graph, mapped) if mapped else None,
        changes=_changes(graph, reasons, refusal_fix),
        not_seen=_unique([refusal_seen, *_not_seen(graph, reasons, mapped), _LARGER_PART if larger and mapped else ""]),
    )


def parts(graph: Graph, supported: Sequence[bool]) -> list[tuple[bool, list[int]]]:
    """Divide the graph by rule 1 of the module. Returns, for each part, whether it is for the Edge TPU, and the
    indices of its operators."""
    produced = {number for operator in graph.operators for number in operator.outputs if number >= 0}
    ready = {number for number in range(len(graph.tensors)) if number not in produced}
    left = list(range(len(graph.operators)))
    found: list[tuple[bool, list[int]]] = []
    while left:
        kind: bool | None = None
        part: list[int] = []
        waiting: list[int] = []
        for number in left:
            operator = graph.operators[number]
            able = all(tensor < 0 or tensor in ready for tensor in operator.inputs)
            if able and kind is None:
                kind = supported[number]
            if able and supported[number] == kind:
                part.append(number)
                ready.update(operator.outputs)
            else:
                waiting.append(number)
        if kind is None:  # a cycle: the rest has no order of execution
            break
        found.append((kind, part))
        left = waiting
    return found


def _refusal(graph: Graph, mapped: set[int]) -> tuple[str | None, str, str]:
    """Return why the compiler would map nothing (or None), what to change, and what of this has not been seen."""
    for operator in graph.operators:
        if operator.version > READABLE.get(operator.name, operator.version):
            reported = (operator.name, operator.version) in REPORTED_UNREADABLE
            return (
                f"Didn't find op for builtin opcode '{operator.name}' version '{operator.version}'",
                f"{operator.name} of version {READABLE[operator.name]} or lower: convert with TensorFlow 2.5 to 2.8",
                "" if reported else f"that {operator.name} {operator.version} cannot be read (newer than the compiler)",
            )
    if free := [tensor.name for tensor in graph.tensors if not tensor.static]:
        only_marked = all(side >= 0 for tensor in graph.tensors for side in tensor.shape)
        return (
            f"{NOT_STATIC} ({len(free)} tensors of free size, first {free[0]!r})",
            "fix the batch at 1: keras.Input(batch_shape=(1, height, width, 3))",
            "that a batch which is only marked as free is refused" if only_marked else "",
        )
    if graph.operators and not any(
        tensor.dtype in EIGHT_BITS and tensor.scales
        for operator in graph.operators
        for tensor in activations(operator, graph)
    ):
        return NOT_QUANTIZED, FULL_INTEGER_FIX, ""
    if not mapped:
        return "no operator can be mapped", "", ""
    return None, "", ""


def _compiled(graph: Graph) -> Verdict:
    left = [operator for operator in graph.operators if not operator.on_edgetpu]
    return Verdict(
        outcome="partial" if left else "whole",
        compiled=True,
        on_tpu=None,
        on_cpu=len(left),
        edgetpu_parts=len(graph.operators) - len(left),
        rows=_rows(graph.operators, [None if operator.on_edgetpu else _LEFT for operator in graph.operators]),
    )


def _rows(operators: Sequence[Operator], fates: Sequence[Reason | None]) -> tuple[OperatorVerdict, ...]:
    """Count operators of one name, version and outcome together, in the order of their first occurrence."""
    groups: dict[OperatorVerdict, int] = {}
    for operator, reason in zip(operators, fates, strict=True):
        row = OperatorVerdict(
            operator=operator.title,
            version=operator.version,
            count=1,
            maps=reason is None,
            status=MAPPED if reason is None else reason.status,
            detail="" if reason is None else reason.detail,
            seen=reason is not None or operator.on_edgetpu or operator.version in SEEN.get(operator.name, ()),
        )
        groups[row] = groups.get(row, 0) + 1
    return tuple(msgspec.structs.replace(row, count=count) for row, count in groups.items())


def _split(graph: Graph, reasons: Sequence[Reason | None], mapped: set[int]) -> str | None:
    """Return the first operator after the start of the mapped part that stays on the CPU for its own reason."""
    if not mapped:
        return None
    for number, (operator, reason) in enumerate(zip(graph.operators, reasons, strict=True)):
        if number > min(mapped) and reason is not None:
            made = graph.present(operator.outputs)
            name = f" ({made[0].name[:60]})" if made and made[0].name else ""
            return f"operator {number}, {operator.title}{name}"
    return None


def _parameters(graph: Graph, numbers: set[int]) -> Parameters:
    used = {tensor for number in numbers for tensor in graph.operators[number].inputs if tensor >= 0}
    size = sum(graph.tensors[tensor].size for tensor in used if graph.tensors[tensor].constant)
    streamed = max(0, size - ON_CHIP_HIGH), max(0, size - ON_CHIP_LOW)
    return Parameters(
        size=size, fits="yes" if not streamed[1] else "no" if streamed[0] else "perhaps", streamed=streamed
    )


def _changes(graph: Graph, reasons: Sequence[Reason | None], refusal_fix: str) -> tuple[str, ...]:
    """Return what to change, each with the operators that it helps.

    The change that makes the compiler accept the model at all comes first."""
    helped: dict[str, dict[str, None]] = {}
    for operator, reason in zip(graph.operators, reasons, strict=True):
        if reason is not None and reason.fix != refusal_fix:
            helped.setdefault(reason.fix, {})[operator.title] = None
    named = [f"{', '.join(names)}: {fix}" for fix, names in helped.items()]
    return tuple(named if not refusal_fix else [refusal_fix, *named])


def _not_seen(graph: Graph, reasons: Sequence[Reason | None], mapped: set[int]) -> list[str]:
    """Return the predictions that rest on documents or inference, not on a mapping that was seen."""
    found = []
    for number, (operator, reason) in enumerate(zip(graph.operators, reasons, strict=True)):
        if reason is None and number in mapped and operator.version not in SEEN.get(operator.name, ()):
            found.append(f"that {operator.name} of version {operator.version} is mapped")
        if reason is not None and not reason.documented:
            found.append(f"that {operator.name} stays on the CPU: {reason.detail}")
    return found


def _unique(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))
