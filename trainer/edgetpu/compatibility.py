"""What the Edge TPU compiler will make of a model, without the compiler: graph -> Verdict. Pure.

The rule by which it divides a graph was read off Coral's pairs and agrees with its documentation ("the first part
runs on the Edge TPU"). Operators are taken in their order of execution and gathered into parts that are all for
the Edge TPU or all for the CPU, each part holding every operator of its kind whose inputs are there by then. The
first part for the Edge TPU is mapped, be it after operators for the CPU (MoveNet begins with two). Everything
later stays on the CPU, supported or not: "More than one subgraph is not supported".
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
    "that the first part is mapped, where a later one is larger (google-coral/edgetpu issue 461 tells of the contrary)"
)


class OperatorVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Operators of one name, version and fate. status: the compiler's words where they are known; detail: what in
    this model; seen: a mapping of this version has been seen (True as well where it is not mapped)."""

    operator: str
    version: int
    count: int
    maps: bool
    status: str
    detail: str = ""
    seen: bool = True


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Constants of the mapped operators against the on-chip memory. streamed: at least, at most, in bytes."""

    size: int
    fits: Literal["yes", "perhaps", "no"]
    streamed: tuple[int, int]


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a model. compiled: it is the compiler's output already, so the rows are facts, and how many
    operators are inside its edgetpu_parts is not known (on_tpu is None). refusal: why the compiler takes nothing of
    it. splits_at: the first operator that keeps what depends on it off the Edge TPU."""

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
        """The operators of one side, as 'CONV_2D x2, ARG_MAX', in order of execution."""
        counts: dict[str, int] = {}
        for row in self.rows:
            if row.maps == on_tpu:
                counts[row.operator] = counts.get(row.operator, 0) + row.count
        return ", ".join(name if count == 1 else f"{name} x{count}" for name, count in counts.items())


def judge(graph: Graph) -> Verdict:
    """What the compiler will make of `graph`, or, where that is its output, what it has made."""
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
    """The graph divided as the module's text has it: for the Edge TPU or not, and the numbers of operators."""
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
        if kind is None:  # what is left waits for itself: no order of execution
            break
        found.append((kind, part))
        left = waiting
    return found


def _refusal(graph: Graph, mapped: set[int]) -> tuple[str | None, str, str]:
    """Why the compiler would take nothing of the model; what to change; what of this nobody has seen."""
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
    """Operators of one name, version and fate together, in the order of their first."""
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
    """The first operator after the mapped part's begin that stays on the CPU for a reason of its own."""
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
    """What to change, each with the operators that it helps; what makes the compiler read the model comes first."""
    helped: dict[str, dict[str, None]] = {}
    for operator, reason in zip(graph.operators, reasons, strict=True):
        if reason is not None and reason.fix != refusal_fix:
            helped.setdefault(reason.fix, {})[operator.title] = None
    named = [f"{', '.join(names)}: {fix}" for fix, names in helped.items()]
    return tuple(named if not refusal_fix else [refusal_fix, *named])


def _not_seen(graph: Graph, reasons: Sequence[Reason | None], mapped: set[int]) -> list[str]:
    """The judgements that rest on documents or inference, not on a mapping that was seen."""
    found = []
    for number, (operator, reason) in enumerate(zip(graph.operators, reasons, strict=True)):
        if reason is None and number in mapped and operator.version not in SEEN.get(operator.name, ()):
            found.append(f"that {operator.name} of version {operator.version} is mapped")
        if reason is not None and not reason.documented:
            found.append(f"that {operator.name} stays on the CPU: {reason.detail}")
    return found


def _unique(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))
