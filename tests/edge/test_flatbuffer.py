"""Tables of a flatbuffer: whatever lies outside the bytes is refused, and nothing is read from the wrong end."""

import struct

import flatbuffers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.flatbuffer import DAMAGED, Node, root


def table() -> bytes:
    """0: a number, 1: a text, 2: bytes, 3: numbers, 4: a table, 5: texts, 7: a float; 6 is left out."""
    b = flatbuffers.Builder(64)
    text, content, inner = b.CreateString("owl"), b.CreateByteVector(b"\1\2\3"), b.CreateString("inner")
    texts = [b.CreateString("one"), b.CreateString("two")]
    b.StartVector(4, 2, 4)
    for number in (-2, 7):
        b.PrependInt32(number)
    numbers = b.EndVector()
    b.StartVector(4, 2, 4)
    for place in reversed(texts):
        b.PrependUOffsetTRelative(place)
    listed = b.EndVector()
    b.StartObject(1)
    b.PrependUOffsetTRelativeSlot(0, inner, 0)
    child = b.EndObject()
    b.StartObject(8)
    b.PrependInt16Slot(0, -5, 0)
    for slot, place in ((1, text), (2, content), (3, numbers), (4, child), (5, listed)):
        b.PrependUOffsetTRelativeSlot(slot, place, 0)
    b.PrependFloat32Slot(7, 0.5, 0.0)
    b.Finish(b.EndObject())
    return bytes(b.Output())


def everything(node: Node) -> tuple[object, ...]:
    child = node.child(4)
    inner = None if child is None else child.text(0)
    return (
        *(node.scalar(0, "<h"), node.text(1), node.raw(2), node.numbers(3), inner, node.blobs(5, 2)),
        *(node.number(6), node.child(6), node.raw(6), node.nodes(6), node.scalar(7, "<f"), node.count(2)),
    )


def test_each_kind_of_field_is_read_and_one_that_is_left_out_is_empty() -> None:
    wanted = (-5, "owl", b"\1\2\3", (7, -2), "inner", [b"one", b"two"], 0, None, b"", [], 0.5, 3)
    assert everything(root(table())) == wanted


@settings(max_examples=300)
@given(st.data())
def test_any_changed_bytes_are_read_from_inside_or_refused(data: st.DataObject) -> None:
    whole = bytearray(table())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(whole) - 4))
        whole[place : place + 4] = struct.pack("<I", data.draw(st.integers(0, 2**32 - 1)))
    try:
        found = everything(root(bytes(whole)))
    except DAMAGED:
        return
    assert isinstance(found[2], bytes)
    assert found[2] in whole
    assert found[11] == len(found[2])


@pytest.mark.parametrize("size", range(0, 100, 4))
def test_what_was_cut_short_is_refused(size: int) -> None:
    with pytest.raises(DAMAGED):
        everything(root(table()[:size]))


def test_a_vtable_in_front_of_the_data_is_not_taken_from_its_end() -> None:
    """struct reads a negative place from the end, so that a table there would be believed."""
    data = struct.pack("<I", 4) + struct.pack("<i", 20) + bytes(24) + struct.pack("<HHHH", 6, 8, 4, 0)
    with pytest.raises(ValueError, match="in front of the data"):
        root(data)


@pytest.mark.parametrize("count", [4, 50_001, 2**31, 2**32 - 1])
def test_a_vector_longer_than_the_data_is_refused_whatever_its_entries(count: int) -> None:
    data = bytearray(table())
    place = data.index(struct.pack("<Iii", 2, 7, -2))
    data[place : place + 4] = struct.pack("<I", 1000 * count % 2**32 or count)
    with pytest.raises(DAMAGED):
        root(bytes(data)).numbers(3)
