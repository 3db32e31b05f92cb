"""Find one value in a flexbuffer map, whose bytes may be damaged or hostile.

Own code, since the reader of the Python package `flatbuffers` trusts the offsets. Only what the operator for the Edge
TPU needs: a map at the root, and a text in it. Nothing is copied but the value, and nothing recurs.
"""

_MAP, _TEXT, _BLOB = 9, 5, 25  # types: the upper six bits of a type byte; the lower two hold the width
_MOST_KEYS = 64  # Coral's operator has five
_MOST_KEY_BYTES = 16


def value(data: bytes, key: bytes) -> bytes | None:
    """Return the text or blob under `key` in the map at the root; None if there is no such key.

    Raises ValueError if the bytes hold no such map, or if anything on the way to the value is outside them."""
    if len(data) < 3 or data[-1] not in (1, 2, 4, 8):
        raise ValueError("not a flexbuffer")
    if data[-2] >> 2 != _MAP:
        raise ValueError("a flexbuffer without a map")
    width = 1 << (data[-2] & 3)
    begin = _target(data, len(data) - 2 - data[-1], data[-1])
    size = _unsigned(data, begin - width, width)
    if size > _MOST_KEYS:
        raise ValueError(f"a map of {size} keys, at most {_MOST_KEYS}")
    keys, key_width = _target(data, begin - 3 * width, width), _unsigned(data, begin - 2 * width, width)
    for number in range(size):
        if _starts_with(data, _target(data, keys + number * key_width, key_width), key):
            kind = _unsigned(data, begin + size * width + number, 1)
            return _text(data, begin + number * width, width, kind)
    return None


def _text(data: bytes, place: int, width: int, kind: int) -> bytes:
    if kind >> 2 not in (_TEXT, _BLOB):
        raise ValueError(f"a value of the type {kind >> 2}, must be a text")
    start, size_width = _target(data, place, width), 1 << (kind & 3)
    size = _unsigned(data, start - size_width, size_width)
    if start + size > len(data):
        raise ValueError(f"a text of {size} bytes at {start} of {len(data)}")
    return data[start : start + size]


def _starts_with(data: bytes, place: int, key: bytes) -> bool:
    return data[place : place + _MOST_KEY_BYTES].partition(b"\0")[0] == key


def _target(data: bytes, place: int, width: int) -> int:
    """Return the place to which an offset leads: they count backwards."""
    target = place - _unsigned(data, place, width)
    if target < 0:
        raise ValueError("an offset leads in front of the data")
    return target


def _unsigned(data: bytes, place: int, width: int) -> int:
    if width not in (1, 2, 4, 8) or place < 0 or place + width > len(data):
        raise ValueError(f"a number of {width} bytes at {place} of {len(data)}")
    return int.from_bytes(data[place : place + width], "little")
