"""The doctor as a whole: all checks together, and how they are shown."""

import sys
import threading
from dataclasses import replace

import click
from doctored import FINE, Children, configured

from edge.doctor import machine
from edge.doctor.case import Case
from edge.doctor.children import Outcome
from edge.doctor.examination import CHECKS, examine
from edge.doctor.findings import Finding, report
from edge.doctor.text import render


def test_a_check_that_stumbles_does_not_keep_the_others_from_speaking(case: Case) -> None:
    def stumble(_: Case) -> list[Finding]:
        raise ZeroDivisionError("by zero")

    made = examine(case, checks=[("first", stumble), ("second", machine.board)])
    assert [finding.id for finding in made.findings] == ["first", "board"]
    assert made.findings[0].kind == "problem"
    assert "ZeroDivisionError: by zero (test_doctor.py:" in made.findings[0].seen
    assert made.status == 69


def test_where_every_child_hangs_the_whole_takes_as_long_as_its_slowest(case: Case) -> None:
    asked: list[str] = []
    all_asked = threading.Event()

    def hang(name: str, arguments: object, timeout_s: float) -> Outcome:
        """Until every child that is asked side by side has been."""
        asked.append(name)
        if {"libraries", "pi_cameras", "frame", "delegate"} <= set(asked):
            all_asked.set()
        assert all_asked.wait(60), f"one after the other: {asked}"
        return Outcome("hung", why=f"no answer within {timeout_s:g} s")

    made = examine(configured(replace(case, probe=hang), engine={"device": "edgetpu"}))
    assert all_asked.is_set()
    assert made.status == 69
    assert Case().child_s + 1 < 20
    assert Case().delegate_s + Case().edgetpu_s + 1 < 20


def test_a_bare_machine_has_an_answer_to_every_check(case: Case) -> None:
    made = examine(replace(case, probe=Children(**FINE)))
    assert len(made.findings) >= len(CHECKS)
    assert all(finding.mend for finding in made.findings if finding.kind in ("warning", "problem"))


def test_warnings_alone_are_no_failure() -> None:
    assert report([Finding("a", "a", "warning", "seen")]).status == 0
    assert report([Finding("a", "a", "ok", "seen"), Finding("b", "b", "problem", "seen")]).status == 69


def test_the_text_fits_80_columns_and_keeps_paths_whole() -> None:
    path = "/opt/fieldfare/" + "very-long/" * 9
    text = click.unstyle(
        render(
            report(
                [
                    Finding("a", "a thing", "warning", "words " * 40, "do this " * 30),
                    Finding("b", "another", "problem", path),
                ]
            )
        )
    )
    lines = text.splitlines()
    assert path in text
    assert all(len(line) <= 80 for line in lines if path not in line)
    assert lines[0].startswith("warning  a thing")
    assert lines[-1] == "0 ok, 1 warning, 1 problem: repair the problems first"
    assert any(line.lstrip().startswith("-> do this") for line in lines)


def test_the_doctor_needs_no_numpy() -> None:
    """It is for machines where numpy, OpenCV or LiteRT are broken."""
    import subprocess

    code = (
        "import sys; sys.modules['numpy'] = sys.modules['cv2'] = sys.modules['ai_edge_litert'] = None\n"
        "import edge.cli.doctor, edge.doctor.examination, edge.doctor.text, edge.doctor.probe"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
