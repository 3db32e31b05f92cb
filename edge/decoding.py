"""Decode what a file or another process holds: whatever is wrong with it, one error."""

from typing import TypeVar

import msgspec

Decoded = TypeVar("Decoded")


class DecodingError(ValueError):
    """Bytes are not what they should hold."""


def decode_json(data: bytes, kind: type[Decoded]) -> Decoded:
    """Return what the JSON holds. Raises DecodingError."""
    return decode(msgspec.json.Decoder(kind), data)


def decode_msgpack(data: bytes, kind: type[Decoded]) -> Decoded:
    """Return what the MessagePack holds. Raises DecodingError."""
    return decode(msgspec.msgpack.Decoder(kind), data)


def decode(decoder: msgspec.json.Decoder[Decoded] | msgspec.msgpack.Decoder[Decoded], data: bytes) -> Decoded:
    """Return what one of msgspec's decoders finds. Raises DecodingError.

    msgspec itself raises three errors: its own; since some version one for text that is not UTF-8, which it passed on
    before; and RecursionError for what is nested some thousand deep, also in keys that it skips.
    """
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodingError(str(error)) from error
