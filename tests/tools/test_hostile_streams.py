"""The table of hostile streams: which modes there are, and what counts as well."""

import dataclasses
from pathlib import Path

import pytest

from tools.hostile_streams import Outcome, modes_of

WELL = Outcome("flap", True, "recovering", 40, 90.0, 5, 0, 15.0)


def test_the_modes_are_read_from_the_server(tmp_path: Path) -> None:
    server = tmp_path / "server.py"
    server.write_text("if mode == 'good': pass\nelif mode == \"401\": pass\nelif mode == 'good': pass\n")
    assert modes_of(server) == ["good", "401"]


@pytest.mark.parametrize(
    ("changes", "well"),
    [
        ({}, True),
        ({"lives": False}, False),
        ({"peak_mb": 400.0}, False),
        ({"first_lines": 20}, True),
        ({"first_lines": 21}, False),
        ({"later_lines": 10, "seconds": 3660.0}, True),
        ({"later_lines": 11, "seconds": 3660.0}, False),
        ({"later_lines": 3, "seconds": 120.0}, False),
    ],
)
def test_what_is_within_the_bounds(changes: dict[str, object], well: bool) -> None:
    outcome = dataclasses.replace(WELL, **changes)  # type: ignore[arg-type]
    assert outcome.is_well == well
    assert outcome.row().endswith("| ok |" if well else "| FALLS SHORT |")
