"""The settings as the service reads them, without what is secret in them. Nothing here changes any."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from edge.config.settings import Settings
from edge.errors import FieldfareError
from edge.pages.rendering import page
from edge.pages.site import Site
from edge.pages.wording import texts
from edge.printable import masked

# Of a password's file even the name is nobody's business; a program's arguments may hold a token for some service.
_HIDDEN = frozenset((("mqtt", "username"), ("mqtt", "password_file"), ("camera", "password_file")))
_PROGRAM = ("hook", "command")
_LONGEST = 400


@dataclass(frozen=True, slots=True)
class Row:
    """A key of the settings. value, default: as they may be shown. changed: from its default."""

    key: str
    value: str
    default: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A section of the settings. rows: None if it is off."""

    name: str
    rows: list[Row] | None


def settings_view(site: Site, _request: Request) -> Response:
    """Answer with all settings by section, or with why they cannot be read."""
    fault, parts = None, []
    try:
        settings = site.load_settings()
        parts = [] if settings is None else list(parts_of(settings))
    except FieldfareError as error:
        fault = str(error)
    return page("settings.html", "status", site, sections=parts, fault=fault, file=site.settings)


def parts_of(settings: Settings) -> Iterator[Part]:
    """Yield the sections, in the order of the documentation."""
    yield Part(
        "", [_row("", field, settings) for field in _fields(settings) if isinstance(_value(settings, field), str)]
    )
    for field in _fields(settings):
        section = _value(settings, field)
        if isinstance(section, msgspec.Struct):
            yield Part(field.encode_name, [_row(field.encode_name, one, section) for one in _fields(section)])
        elif section is None:
            yield Part(field.encode_name, None)


def _fields(section: msgspec.Struct) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(section)


def _value(section: msgspec.Struct, field: msgspec.structs.FieldInfo) -> Any:
    return getattr(section, field.name)


def _row(section: str, field: msgspec.structs.FieldInfo, holder: msgspec.Struct) -> Row:
    value, words = _value(holder, field), texts().settings
    default: Any = msgspec.UNSET
    if field.default is not msgspec.NODEFAULT:
        default = field.default
    elif field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    place = (section, field.encode_name)
    shown = words.must if default is msgspec.UNSET else _shown(default)
    return Row(field.encode_name, _safe(place, value), shown, default is msgspec.UNSET or value != default)


def _safe(place: tuple[str, str], value: Any) -> str:
    """Return a value as it may be shown."""
    words = texts().settings
    if place in _HIDDEN:
        return str(words.none if value is None else words.hidden)
    if place == _PROGRAM:
        return str(words.program.format(program=_shown(value[0]), count=len(value) - 1))
    return _shown(value)


def _shown(value: Any) -> str:
    text = _worded(msgspec.to_builtins(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _worded(value: Any) -> str:
    """Return builtins in words; addresses without their passwords."""
    if value is None:
        return str(texts().settings.none)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "; ".join(f"{_worded(key)}: {_worded(one)}" for key, one in value.items()) or '""'
    if isinstance(value, list | tuple):
        return ", ".join(_worded(one) for one in value) or str(texts().settings.none)
    return (
        (masked(value) or '""') if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
    )
