"""docs/settings.md holds every key, with the range and the default of the code, and the delivered file."""

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.inspect import FloatType, IntType
from setting_keys import both_ends, numeric_keys, sections

from edge.config.keeping import Window
from edge.config.loading import load_settings, parse_settings
from edge.config.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "settings.md").read_text()
DELIVERED = ROOT / "systemd" / "fieldfare.toml"
RECORDS = {name: record.cls for name, record in sections()}
KEYS = [(section, field) for section, record in RECORDS.items() for field in msgspec.structs.fields(record)]
# An option in place of a number, or beside it.
BESIDE = re.compile(r'^`"auto"`, or |, or a name such as `"BOARD11"`$')


def row(section: str, name: str) -> list[str]:
    """Return the cells of a key's line: type and range, default, meaning."""
    (table,) = re.findall(rf"^## \[{section}\]$(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
    (cells,) = re.findall(rf"^\| `{name}` \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$", table, re.MULTILINE)
    return list(cells)


NUMBERS = [pytest.param(*found, id=f"{found[0]}.{found[1]}") for found in numeric_keys()]


@pytest.mark.parametrize(("section", "name", "kind"), NUMBERS)
def test_the_documented_range_is_the_one_in_the_code(section: str, name: str, kind: IntType | FloatType) -> None:
    noun = "whole number" if isinstance(kind, IntType) else "number"
    assert BESIDE.sub("", row(section, name)[0]) == f"{noun}, {both_ends(kind)}"


@pytest.mark.parametrize(("section", "field"), [pytest.param(*key, id=f"{key[0]}.{key[1].name}") for key in KEYS])
def test_every_key_is_documented_with_its_default(section: str, field: msgspec.structs.FieldInfo) -> None:
    shown = row(section, field.encode_name)[1]
    default: Any = None if field.required or field.default is msgspec.NODEFAULT else field.default
    if field.required:
        assert shown == "none, must be given"
    elif isinstance(default, bool):
        assert shown == str(default).lower()
    elif isinstance(default, str):
        assert shown == f'`"{default}"`'
    elif isinstance(default, int | float):
        assert shown.split(":")[0] == str(default)
    else:
        assert not re.match(r"\d|true|false", shown) or (section, field.name) == ("mqtt", "port")


def test_no_key_is_documented_that_there_is_not() -> None:
    for section, record in RECORDS.items():
        (table,) = re.findall(rf"^## \[{section}\]$(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
        known = set(record.__struct_encode_fields__) | (
            set(Window.__struct_encode_fields__) if section == "schedule" else set()
        )
        assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == known


def test_the_example_is_the_delivered_file() -> None:
    assert f"```toml\n{DELIVERED.read_text()}```\n" in PAGE


class TestTheDeliveredFile:
    """It is what a field camera wants: events, pictures and a harvest on a card of 16 GB; no line for every frame."""

    SETTINGS = load_settings(DELIVERED)

    def test_keeps_events_and_no_lines_for_frames(self) -> None:
        assert self.SETTINGS.events.store == "/var/lib/fieldfare/events.db"
        assert self.SETTINGS.pictures.best
        assert self.SETTINGS.harvest.max_mb > 0
        assert (self.SETTINGS.output.console, self.SETTINGS.output.jsonl) == ("changes", None)

    def test_fits_beside_the_system_on_the_card(self) -> None:
        settings = self.SETTINGS
        taken_mb = settings.events.max_mb + settings.pictures.max_mb + settings.harvest.max_mb
        assert taken_mb == 7500  # as the file says
        assert taken_mb + settings.pictures.reserve_mb <= 16_000 * 0.95 - 5000

    def test_its_pictures_last_a_season(self) -> None:
        """Of 80 kB each: the most of 640x480 with quality 85 had 40 to 90."""
        assert self.SETTINGS.pictures.max_mb * 1000 / 80 >= 400 * 180

    def test_what_is_commented_out_is_right_as_well(self) -> None:
        """Take the # away before every line that would be one of the settings."""
        text = re.sub(r"^# (?=\[|\w+ = )", "", DELIVERED.read_text(), flags=re.MULTILINE)
        assert set(tomllib.loads(text)) >= {"device", "schedule", "mqtt", "metrics", "event_lines", "hook", "gpio"}
        assert parse_settings(text.encode(), "f.toml").output.jsonl == "/var/lib/fieldfare/results.jsonl"


def test_every_section_is_documented() -> None:
    assert set(RECORDS) == set(Settings.__struct_fields__) - {"bundle"}


def test_the_metrics_of_the_delivered_file_are_where_the_page_on_outputs_has_them() -> None:
    (example,) = re.findall(r'^\[metrics\]\nfile = "(.*)"$', (ROOT / "docs" / "outputs.md").read_text(), re.MULTILINE)
    assert f'# [metrics]\n# file = "{example}"\n' in DELIVERED.read_text()
