"""Read what a browser sends: the words of an address, and the fields of a form."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from edge.errors import DataError
from edge.pages.access.guard import MOST_BODY

_MOST_FIELDS = 1000
LONGEST_NUMBER = 15

Fields = Mapping[str, list[str]]


class FormError(DataError):
    """Something that no page of ours sends."""


async def read_form(request: Request) -> Fields:
    """Return the fields of a form by name, each with its values in order. Raises FormError."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise FormError("content-type: must be application/x-www-form-urlencoded")
    body = bytearray()
    try:
        async for piece in request.stream():  # a body in chunks has no length to be judged by before
            body += piece
            if len(body) > MOST_BODY:
                raise FormError(f"the form has over {MOST_BODY} bytes")
    except ClientDisconnect as error:  # nobody reads the answer, and nothing of half a form is carried out
        raise FormError("the form ended too soon") from error
    return parse_fields(bytes(body))


def parse_fields(data: bytes) -> Fields:
    """Return the fields of an encoded form. Raises FormError."""
    try:
        pairs = parse_qsl(data.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise FormError("the form is no text in UTF-8, or has too many fields") from error
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


def first(fields: Fields, name: str) -> str:
    """Return the first value of a field without blanks around it; "" if there is none."""
    return fields.get(name, [""])[0].strip()


def way_back(claimed: str, ours: str) -> tuple[str, str]:
    """Return path and query of the page that a form was on; `ours` without a query, if it claims one outside of that.

    ours: a path such as "/events"; what is below it counts, too."""
    path, _, query = claimed.partition("#")[0].partition("?")
    return (path, query) if path == ours or path.startswith(f"{ours}/") else (ours, "")


def number(text: str) -> int:
    """Return a positive whole number. Raises FormError."""
    if not (text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER and int(text) > 0):
        raise FormError(f"{text[:40]!r}: must be a number from 1")
    return int(text)


def percentage(text: str) -> float | None:
    """Return a share of 1 from a percentage; None for "". Raises FormError."""
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 100:
        raise FormError(f"score {text[:40]!r}: must be 0 to 100")
    return value / 100


def day_begin(text: str, *, days_later: int = 0) -> float | None:
    """Return when a day begins on this machine's clock, as seconds since 1970; None for "". Raises FormError."""
    if not text:
        return None
    try:
        return (datetime.strptime(text[:40], "%Y-%m-%d") + timedelta(days=days_later)).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise FormError(f"day {text[:40]!r}: must be a date such as 2026-11-28") from error
