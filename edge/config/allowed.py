"""Describe in words what a key may be, from its annotation, such as "a whole number from 32 to 8192"."""

from typing import get_args

from msgspec.inspect import (
    BoolType,
    DictType,
    FloatType,
    IntType,
    LiteralType,
    Metadata,
    StrType,
    StructType,
    Type,
    UnionType,
    VarTupleType,
    type_info,
)

from edge.config.keeping import Day

_DAYS = get_args(Day)
_DEVICE_WORDS = "auto, cpu, any, usb, pci, usb:N, pci:N, or a place such as 2-1.4 or /dev/apex_0"
_PIN_WORDS = 'a whole number from 0 to 53, or a name such as "BOARD11"'
# Keys for which neither msgspec's words nor the types' own are helpful enough.
_CHOICES = {
    "camera.exposure": "auto, or microseconds from 1 to 200000000",
    "camera.focus": "auto, or a number from 0 to 65535: dioptres for a Pi camera",
    "camera.format": "auto, MJPG, YUYV or another four-letter code that `v4l2-ctl --list-formats-ext` shows",
    "camera.region": "four numbers from 0 to 1: left, top, width and height as shares of the picture",
    "decision.thresholds": "a table of labels, each with a number from 0 to 1",
    "engine.device": _DEVICE_WORDS,
    "gpio.pin": _PIN_WORDS,
    "hook.command": "the program and its arguments, a list of 1 to 64 texts",
    "led.pin": _PIN_WORDS,
    "locate.model_device": _DEVICE_WORDS,
    "power.pin": _PIN_WORDS,
    "schedule.awake": "a list of at most 64 windows: begin each with [[schedule.awake]]",
}


def allowed(kind: object, path: str) -> str | None:
    """Return the words for the key at `path`, whose annotation is `kind`; None for types that need none."""
    return _CHOICES.get(path) or _words(type_info(kind))


def _words(kind: Type) -> str | None:
    kinds = kind.types if isinstance(kind, UnionType) else (kind,)
    choices = [str(value) for one in kinds if isinstance(one, LiteralType) for value in one.values]
    if set(choices) == set(_DAYS):  # msgspec sorts them by the alphabet
        choices = list(_DAYS)
    numbers = [_ends(one) for one in kinds if isinstance(one, IntType | FloatType)]
    if numbers:
        return ", or ".join(choices + numbers)
    if choices:
        return f"{', '.join(choices[:-1])} or {choices[-1]}"
    return next((words for one in kinds if (words := _described(one) or _plain(one) or _text(one) or _list(one))), None)


def _described(kind: Type) -> str | None:
    """Return the words that stand beside the type, as texts with a pattern have them."""
    return (kind.extra_json_schema or {}).get("description") if isinstance(kind, Metadata) else None


def _plain(kind: Type) -> str | None:
    if isinstance(kind, BoolType):
        return "true or false"
    return "a table of keys" if isinstance(kind, StructType | DictType) else None


def _text(kind: Type) -> str | None:
    if not isinstance(kind, StrType) or kind.pattern is not None or kind.max_length is None:
        return None
    return f"a text of {kind.min_length or 0} to {kind.max_length} characters"


def _list(kind: Type) -> str | None:
    if not isinstance(kind, VarTupleType):
        return None
    return f"a list, each {_words(kind.item_type)}"


def _ends(kind: IntType | FloatType) -> str:
    ends = (("from", kind.ge), ("over", kind.gt), ("to", kind.le), ("to under", kind.lt))
    limits = [f"{word} {end:.15g}" for word, end in ends if end is not None]
    return " ".join(["a whole number" if isinstance(kind, IntType) else "a number", *limits])
