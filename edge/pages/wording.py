"""All texts of the pages, in one file for each language."""

import tomllib
from functools import cache
from importlib.resources import files
from types import SimpleNamespace
from typing import Any


@cache
def texts(language: str = "en") -> Any:
    """Return the texts, by section and key as attributes. In each, {name} is filled in by str.format."""
    data = files(__package__).joinpath(f"texts/{language}.toml").read_text(encoding="utf-8")
    return _spaces(tomllib.loads(data))


def _spaces(table: dict[str, Any]) -> SimpleNamespace:
    return SimpleNamespace(
        **{key: _spaces(value) if isinstance(value, dict) else value for key, value in table.items()}
    )
