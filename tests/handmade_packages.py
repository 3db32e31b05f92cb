"""Packages for the Edge TPU as Coral's compiler leaves them, written by hand. Their instructions are noise: no Edge TPU
runs them. Each names itself a stand-in where the compiler's version stands."""

from collections.abc import Sequence
from dataclasses import dataclass

import flatbuffers
from flatbuffers import flexbuffers

from edge.edgetpu.package import Layer

COMPILER = "a stand-in, not Coral's compiler"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What to write.

    links: the addresses in the instructions, as (0 for an output or 1 for an input, its name, place in bits); None for
        those of the layers.
    kinds: the type of each executable; the first carries layers and `streamed`, the second `cached`.
    """

    inputs: Sequence[Layer]
    outputs: Sequence[Layer]
    cached: bytes = b""
    streamed: bytes = b""
    instructions: bytes = b"noise"
    links: Sequence[tuple[int, str, int]] | None = None
    kinds: tuple[int, ...] = (2, 1)
    runtime: int = 12
    chip: str = "beagle"
    batch: int = 1
    chips: int = 0
    mark: bytes = b"DWN1"


def options(recipe: Recipe) -> bytes:
    """Return the options of an operator for the Edge TPU."""
    builder = flexbuffers.Builder()
    with builder.Map():
        builder.Int("1", 1)
        builder.Key("4")
        builder.Blob(package(recipe))
        builder.Int("5", -1)
    return bytes(builder.Finish())


def package(recipe: Recipe) -> bytes:
    """Return the package alone."""
    executables = [_executable(recipe, number, kind) for number, kind in enumerate(recipe.kinds)]
    builder = flatbuffers.Builder(1024)
    texts = [builder.CreateByteVector(one) for one in executables]
    multi = _table(builder, [(0, _references(builder, texts))])
    builder.Finish(multi)
    serialized = bytes(builder.Output())
    builder = flatbuffers.Builder(1024)
    content, compiler = builder.CreateByteVector(serialized), builder.CreateString(COMPILER)
    builder.StartObject(8)
    builder.PrependInt32Slot(0, recipe.runtime, 0)
    builder.PrependUOffsetTRelativeSlot(1, content, 0)
    builder.PrependUOffsetTRelativeSlot(4, compiler, 0)
    builder.PrependInt32Slot(5, recipe.chips, 0)
    builder.Finish(builder.EndObject(), recipe.mark)
    return bytes(builder.Output())


def _executable(recipe: Recipe, number: int, kind: int) -> bytes:
    builder = flatbuffers.Builder(1024)
    main = number == 0
    fields = [(6, builder.CreateByteVector(recipe.streamed if main else recipe.cached))]
    stream = [(0, builder.CreateByteVector(recipe.instructions))]
    if main:
        stream.append((1, _references(builder, [_link(builder, *link) for link in _links(recipe)])))
    fields.append((5, _references(builder, [_table(builder, stream)])))
    for slot, layers in ((8, recipe.inputs), (9, recipe.outputs)):
        fields.append((slot, _references(builder, [_layer(builder, layer) for layer in layers if main])))
    fields.append((10, builder.CreateString(recipe.chip)))
    builder.StartObject(17)
    for slot, place in fields:
        builder.PrependUOffsetTRelativeSlot(slot, place, 0)
    builder.PrependInt32Slot(3, recipe.batch, 0)
    builder.PrependInt16Slot(13, kind, 0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())


def _links(recipe: Recipe) -> Sequence[tuple[int, str, int]]:
    if recipe.links is not None:
        return recipe.links
    return [(kind, one.name, 0) for kind, layers in ((1, recipe.inputs), (0, recipe.outputs)) for one in layers]


def _link(builder: flatbuffers.Builder, kind: int, name: str, place: int) -> int:
    text = builder.CreateString(name)
    builder.StartObject(4)
    builder.PrependInt16Slot(0, kind, 0)
    builder.PrependUOffsetTRelativeSlot(2, text, 0)
    meta = builder.EndObject()
    builder.StartObject(2)
    builder.PrependUOffsetTRelativeSlot(0, meta, 0)
    builder.PrependInt32Slot(1, place, 0)
    return int(builder.EndObject())


def _layer(builder: flatbuffers.Builder, layer: Layer) -> int:
    name = builder.CreateString(layer.name)
    builder.StartObject(2)
    builder.PrependInt32Slot(0, layer.zero_point, 0)
    builder.PrependFloat32Slot(1, layer.scale, 0.0)
    numerics = builder.EndObject()
    builder.StartObject(11)
    builder.PrependUOffsetTRelativeSlot(0, name, 0)
    for slot, value in ((1, layer.size), *zip((2, 3, 4), layer.shape, strict=True)):
        builder.PrependInt32Slot(slot, value, 0)
    builder.PrependUOffsetTRelativeSlot(5, numerics, 0)
    builder.PrependInt16Slot(6, layer.data_type, 0)
    return int(builder.EndObject())


def _table(builder: flatbuffers.Builder, fields: list[tuple[int, int]]) -> int:
    builder.StartObject(1 + max(slot for slot, _ in fields))
    for slot, place in fields:
        builder.PrependUOffsetTRelativeSlot(slot, place, 0)
    return int(builder.EndObject())


def _references(builder: flatbuffers.Builder, places: Sequence[int]) -> int:
    builder.StartVector(4, len(places), 4)
    for place in reversed(places):
        builder.PrependUOffsetTRelative(place)
    return int(builder.EndVector())
