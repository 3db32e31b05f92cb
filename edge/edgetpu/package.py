"""Read the package that Coral's compiler leaves in the operator for the Edge TPU.

The options of that operator are a flexbuffer map (google-coral/libedgetpu at e35aed18, tflite/custom_op_data.cc). Its
key "4" holds the package, a flatbuffer with the identifier DWN1. Field numbers are those of executable/executable.fbs
there:

    Package               0 min_runtime_version, 1 serialized_multi_executable (bytes: a flatbuffer),
                          4 compiler_version, 5 virtual_chip_id
    MultiExecutable       0 serialized_executables (texts, each a flatbuffer)
    Executable            3 batch_size, 5 instruction_bitstreams, 6 parameters, 8 input_layers, 9 output_layers,
                          10 chip, 13 type
    InstructionBitstream  0 bitstream, 1 field_offsets
    FieldOffset           0 meta, 1 offset_bit
    Meta                  0 desc (0 an output's address, 1 an input's), 2 name
    Layer                 0 name, 1 size_bytes, 2 y_dim, 3 x_dim, 4 z_dim, 5 numerics, 6 data_type
    NumericsConstants     0 zero_point, 1 dequantization_factor

What libedgetpu refuses (driver/package_registry.cc) is refused here, and so is what no compiler writes: an executable
without instructions, a layer without a size, a layer whose address no instruction takes. All of it may be damaged or
hostile. The depth is fixed, lengths are checked before anything is read, and no more than a few times the package's own
bytes is copied.
"""

import math
from dataclasses import dataclass

from edge.edgetpu.flexbuffer import value
from edge.errors import ModelError
from edge.flatbuffer import DAMAGED, Node, root
from edge.printable import printable

MARK = b"DWN1"
# The runtime versions of Coral's compilers 1.0 to 16.0. 14 is the last libedgetpu's own: it runs nothing newer.
FIRST_RUNTIME, LAST_RUNTIME = 10, 14
CHIP = "beagle"  # the chip of all Corals, and of every published model
MAX_NAME = 4096
# What becomes of the last layer of a compiled model that can be taught, in words.
TEACHABLE = "runs on the CPU, so that the bundle can be taught"
_MULTI_CHIP = -1
_STAND_ALONE, _CACHING, _EXECUTION_ONLY = 0, 1, 2
# What libedgetpu takes, and which of them runs the inference. One alone counts as stand-alone whatever its type.
_MAIN = {
    frozenset((_CACHING, _EXECUTION_ONLY)): _EXECUTION_ONLY,
    frozenset((_CACHING, _EXECUTION_ONLY, _STAND_ALONE)): _STAND_ALONE,
}
_MAX_EXECUTABLES, _MAX_LAYERS, _MAX_BITSTREAMS, _MAX_LINKS = 3, 256, 256, 4096
_OUTPUT, _INPUT = 0, 1  # what an address in the instructions is of
_ADDRESS_BITS = 32
_WIDTHS = {0: 1, 1: 2, 2: 4, 8: 1, 9: 2}  # bytes of a value by data_type; the floating ones are no Coral's


@dataclass(frozen=True, slots=True)
class Layer:
    """An input or output of the part that runs on the Edge TPU.

    shape: (y, x, z).
    data_type: 0 unsigned of 8 bits, 8 signed of 8 bits, 9 signed of 16 bits.
    zero_point: counted unsigned, so 128 higher than in the model for int8, and 32,768 for int16.
    """

    name: str
    shape: tuple[int, int, int]
    size: int
    data_type: int
    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class Package:
    """What one operator for the Edge TPU holds.

    min_runtime: the least runtime version of a libedgetpu that runs it.
    on_chip_bytes: parameters that are kept on the chip.
    streamed_bytes: parameters that are sent to it at each inference.
    instruction_bytes: of the inference, without those that load the parameters.
    parameters: of all executables, one after the other.
    """

    min_runtime: int
    compiler: str
    on_chip_bytes: int
    streamed_bytes: int
    instruction_bytes: int
    inputs: tuple[Layer, ...]
    outputs: tuple[Layer, ...]
    parameters: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Executable:
    node: Node
    kind: int
    instruction_bytes: int
    links: frozenset[tuple[int, str]]
    parameters: bytes


def amount(size: int) -> str:
    """Return a number of bytes in words: in MiB, or in KiB if it would look like nothing."""
    return f"{size / 2**10:.2f} KiB" if 0 < size < 2**20 / 100 else f"{size / 2**20:.2f} MiB"


def read_package(options: bytes) -> Package:
    """Read the options of an operator for the Edge TPU.

    Raises ModelError with the reason if they hold no package, a damaged one, or one that no Coral runs."""
    if not options:
        raise ModelError("its operator for the Edge TPU is empty: a placeholder, not the compiler's output")
    try:
        package = value(options, b"4")
    except ValueError as error:
        raise ModelError(_no_package(options, str(error))) from error
    if package is None or package[4:8] != MARK:
        raise ModelError(_no_package(options, "no package"))
    try:
        return _read(package)
    except DAMAGED as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"its package for the Edge TPU is damaged ({error})") from error


def _no_package(options: bytes, reason: str) -> str:
    if MARK in options:
        return f"its operator for the Edge TPU is damaged ({reason})"
    return f"its operator for the Edge TPU holds no package of Coral's compiler ({reason}, no DWN1 mark): a placeholder"


def _read(data: bytes) -> Package:
    top = root(data)
    runtime, chips = int(top.scalar(0, "<i")), int(top.scalar(5, "<i"))
    if not FIRST_RUNTIME <= runtime <= LAST_RUNTIME:
        raise ModelError(
            f"its package needs the Edge TPU runtime {runtime}, must be {FIRST_RUNTIME} to {LAST_RUNTIME}: damaged, or "
            "of a compiler that no libedgetpu follows"
        )
    if chips == _MULTI_CHIP:
        raise ModelError("its package is for several chips at once, which a Coral is not: compile it for one")
    blobs = root(top.raw(1)).blobs(0, _MAX_EXECUTABLES) if top.holds(1) else []
    executables = [_executable(blob) for blob in blobs]
    main = _main(executables)
    inputs, outputs = _layers(main.node, 8), _layers(main.node, 9)
    _check_links(main.links, inputs, outputs)
    cached = [one for one in executables if one.kind == _CACHING and one is not main]
    return Package(
        min_runtime=runtime,
        compiler=printable(top.text(4))[:100],
        on_chip_bytes=sum(len(one.parameters) for one in cached),
        streamed_bytes=len(main.parameters),
        instruction_bytes=main.instruction_bytes,
        inputs=inputs,
        outputs=outputs,
        parameters=tuple(one.parameters for one in executables),
    )


def _executable(data: bytes) -> _Executable:
    node = root(data)
    if (batch := int(node.scalar(3, "<i"))) != 1:
        raise ModelError(f"its package is for {batch} pictures at once, must be 1")
    if (chip := printable(node.text(10))) != CHIP:
        raise ModelError(f"its package is for the chip {chip[:40]!r}, a Coral is {CHIP!r}")
    streams = node.nodes(5, _MAX_BITSTREAMS)
    instructions = sum(stream.count(0) for stream in streams)
    if not instructions:
        raise ModelError("its package holds no instructions: a placeholder, not the compiler's output")
    links: list[tuple[int, str]] = []
    for stream in streams:
        links += _links(stream, _MAX_LINKS - len(links))
    return _Executable(node, int(node.scalar(13, "<h")), instructions, frozenset(links), node.raw(6))


def _links(stream: Node, most: int) -> list[tuple[int, str]]:
    """Return of what the addresses are that the driver writes into these instructions, at most so many."""
    bits, found = 8 * stream.count(0), []
    for field in stream.nodes(1, most):
        meta, place = field.child(0), int(field.scalar(1, "<i"))
        if meta is None or not 0 <= place <= bits - _ADDRESS_BITS:
            raise ValueError(f"an address at bit {place} of {bits}")
        found.append((int(meta.scalar(0, "<h")), printable(meta.text(2, MAX_NAME))))
    return found


def _check_links(links: frozenset[tuple[int, str]], inputs: tuple[Layer, ...], outputs: tuple[Layer, ...]) -> None:
    """Raise ValueError if the instructions take other inputs or outputs than the layers."""
    named = {link for link in links if link[0] in (_INPUT, _OUTPUT)}
    layers = {(_INPUT, layer.name) for layer in inputs} | {(_OUTPUT, layer.name) for layer in outputs}
    if odd := sorted(named ^ layers):
        raise ValueError(f"instructions and layers differ, first at {odd[0][1][:60]!r}")


def _main(executables: list[_Executable]) -> _Executable:
    """Return the executable of the inference, as libedgetpu chooses it."""
    if len(executables) == 1:
        return executables[0]
    kinds = [one.kind for one in executables]
    kind = _MAIN.get(frozenset(kinds))
    if kind is None or len(set(kinds)) != len(kinds):
        raise ModelError(f"its package holds executables of the types {kinds}, which no Coral runs together: damaged")
    return executables[kinds.index(kind)]


def _layers(executable: Node, field: int) -> tuple[Layer, ...]:
    layers = tuple(_layer(node) for node in executable.nodes(field, _MAX_LAYERS))
    if not layers:
        raise ModelError("its package has no input or no output: a placeholder, or damaged")
    return layers


def _layer(node: Node) -> Layer:
    name, kind = printable(node.text(0, MAX_NAME)), int(node.scalar(6, "<h"))
    y, x, z = (int(node.scalar(field, "<i")) for field in (2, 3, 4))
    size, numerics = int(node.scalar(1, "<i")), node.child(5)
    if kind not in _WIDTHS or numerics is None or not name:
        raise ValueError(f"the layer {name[:60]!r} of type {kind}")
    if min(y, x, z) < 1 or y * x * z * _WIDTHS[kind] > size:
        raise ValueError(f"the layer {name[:60]!r} of {y}x{x}x{z} values in {size} bytes")
    scale = numerics.scalar(1, "<f")
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"the layer {name[:60]!r} with the scale {scale}")
    return Layer(name, (y, x, z), size, kind, scale, int(numerics.scalar(0, "<i")))
