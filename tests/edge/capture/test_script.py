"""Scripts for the synthetic camera: the text, the clock, the file."""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.capture.script import (
    MAX_BYTES,
    MAX_STEPS,
    START_VARIABLE,
    WORDS,
    Script,
    ScriptClock,
    Step,
    keep_clock,
    parse_script,
)
from edge.errors import ConfigError, MissingInputError

seconds = st.floats(0.001, 1e9)
steps = st.lists(st.builds(Step, st.sampled_from(WORDS), seconds), min_size=1, max_size=20)


class TestParsing:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("run 5; stall 3", Script((Step("run", 5), Step("stall", 3)))),
            ("run 5\nStall 3  # then it runs again\n", Script((Step("run", 5), Step("stall", 3)))),
            ("freeze 0.5; loop", Script((Step("freeze", 0.5),), loop=True)),
            ("repeat 2", Script((Step("freeze", 2),))),
            ("run 1; abort", Script((Step("run", 1), Step("abort")))),
            ("stall\n", Script((Step("stall"),))),
        ],
    )
    def test_a_script_reads_as_it_is_written(self, text: str, expected: Script) -> None:
        assert parse_script(text) == expected

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "camera.script has 0 steps: must be 1 to 10000, such as run 5; stall 3; loop"),
            ("loop", "has 0 steps"),
            ("walk 5", "'walk 5': must be a word and its seconds, such as stall 3; the words are run, stall"),
            ("run 5 stall 3", "'run 5 stall 3': must be a word and its seconds"),
            ("loop; run 5", "'loop': must be a word"),
            ("run five", "'run five': the seconds must be a number from 0.001 to 1000000000"),
            ("run -1", "'run -1': the seconds"),
            ("run nan", "'run nan': the seconds"),
            ("run 1e400", "'run 1e400': the seconds"),
            ("run; stall 3", "'run' needs its seconds, such as run 5"),
            ("run 5; stall; loop", "'stall' needs its seconds"),
            ("run 1;" * (MAX_STEPS + 1), "has 10001 steps"),
        ],
    )
    def test_what_is_wrong_is_named_with_what_is_allowed(self, text: str, message: str) -> None:
        with pytest.raises(ConfigError, match=re.escape(message)):
            parse_script(text)

    @given(steps=steps, loop=st.booleans())
    def test_what_is_written_is_read_back(self, steps: list[Step], loop: bool) -> None:
        text = "; ".join([f"{step.word} {step.seconds!r}" for step in steps] + ["loop"] * loop)
        read = parse_script(text)
        assert read.loop == loop
        assert [step.seconds for step in read.steps] == [step.seconds for step in steps]
        assert [step.word for step in read.steps] == [step.word.replace("repeat", "freeze") for step in steps]

    @given(st.text())
    def test_any_text_is_a_script_or_one_clear_line(self, text: str) -> None:
        try:
            parse_script(text)
        except ConfigError as error:
            assert "camera.script" in str(error)
            assert len(str(error)) < 400

    @given(steps=steps, loop=st.booleans(), elapsed_s=st.floats(0, 1e12))
    def test_at_every_moment_something_holds(self, steps: list[Step], loop: bool, elapsed_s: float) -> None:
        now = Script(tuple(steps), loop).at(elapsed_s)
        assert now.word in WORDS
        assert now.seconds >= 0


class TestTime:
    @pytest.mark.parametrize(
        ("elapsed_s", "expected"),
        [(0, Step("run", 5)), (4, Step("run", 1)), (5, Step("stall", 3)), (7.5, Step("stall", 0.5)), (8, Step("run"))],
    )
    def test_one_step_after_the_other_and_then_it_runs(self, elapsed_s: float, expected: Step) -> None:
        assert parse_script("run 5; stall 3").at(elapsed_s) == expected

    def test_a_loop_begins_again(self) -> None:
        script = parse_script("run 5; stall 3; loop")
        assert [script.at(8 * round_ + 6) for round_ in range(3)] == [Step("stall", 2)] * 3

    def test_a_last_step_without_seconds_lasts(self) -> None:
        assert parse_script("run 5; dark").at(1e9) == Step("dark")

    def test_a_process_that_is_started_again_goes_on_in_the_script(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`abort 1` would otherwise kill each new camera process at its start, for ever."""
        monkeypatch.setenv(START_VARIABLE, "")
        keep_clock()
        program = (
            "from edge.capture.script import ScriptClock\nprint(ScriptClock('abort 0.05; run').now().word, end='')"
        )
        time.sleep(0.05)
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert ran.stdout == "run"

    @pytest.mark.parametrize("kept", ["", "soon", "1e300", "-5", "nan"])
    def test_without_a_kept_clock_it_begins_now(self, kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(START_VARIABLE, kept)
        assert ScriptClock("stall 1000; run").now().seconds == pytest.approx(1000, abs=5)


class TestFile:
    def test_it_counts_from_when_it_was_written(self, tmp_path: Path) -> None:
        file = tmp_path / "script"
        file.write_text("run 5; stall 300")
        os.utime(file, (time.time() - 10, time.time() - 10))
        assert ScriptClock(f"@{file}").now().word == "stall"

    def test_a_change_acts_at_once(self, tmp_path: Path) -> None:
        file = tmp_path / "script"
        file.write_text("run")
        clock = ScriptClock(f"@{file}")
        assert clock.now() == Step("run")
        file.write_text("stall 100; run")
        assert clock.now().word == "stall"
        assert clock.now().seconds == pytest.approx(100, abs=5)

    def test_one_that_is_emptied_first_says_nothing_yet(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """A shell's `echo run > FILE` empties the file first, and then writes."""
        file = tmp_path / "script"
        file.write_text("dark")
        clock = ScriptClock(f"@{file}")
        file.write_text("")
        assert clock.now().word == "dark"
        file.write_text("freeze")
        assert clock.now().word == "freeze"
        assert not caplog.records

    @pytest.mark.parametrize("damage", [b"walk 5", b"\xff\xfe", None])
    def test_a_change_that_cannot_be_read_is_a_warning(
        self, damage: bytes | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        file = tmp_path / "script"
        file.write_text("dark")
        clock = ScriptClock(f"@{file}")
        if damage is None:
            file.unlink()
        else:
            file.write_bytes(damage)
        for _ in range(3):
            assert clock.now().word == "dark"
        assert caplog.text.count("the previous script stays in force") == 1

    def test_at_the_start_it_must_be_there_and_right(self, tmp_path: Path) -> None:
        with pytest.raises(MissingInputError, match="script: cannot read"):
            ScriptClock(f"@{tmp_path / 'script'}")
        (tmp_path / "script").write_text("walk 5")
        with pytest.raises(ConfigError, match=r"script: camera.script: 'walk 5'"):
            ScriptClock(f"@{tmp_path / 'script'}")
        (tmp_path / "script").write_bytes(b"run 5\xff")
        with pytest.raises(ConfigError, match=r"script: must be UTF-8, as byte 6 is not: save it as UTF-8"):
            ScriptClock(f"@{tmp_path / 'script'}")


class TestBounds:
    @pytest.mark.parametrize("name", ["large", "pipe", "/dev/zero", "/"])
    def test_only_a_plain_file_of_some_size_is_read(self, name: str, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "large").write_bytes(b"#" * (MAX_BYTES + 1))
        with pytest.raises(MissingInputError, match=r"cannot read: (not a plain file|larger than|Is a directory)"):
            ScriptClock(f"@{tmp_path / name}")

    def test_one_that_becomes_a_pipe_is_a_warning(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        file = tmp_path / "script"
        file.write_text("dark")
        clock = ScriptClock(f"@{file}")
        file.unlink()
        os.mkfifo(file)
        assert clock.now().word == "dark"
        assert caplog.messages == [f"{file}: not a plain file; the previous script stays in force"]

    def test_a_byte_order_mark_is_passed_over(self, tmp_path: Path) -> None:
        (tmp_path / "script").write_bytes(b"\xef\xbb\xbfstall 100")
        assert ScriptClock(f"@{tmp_path / 'script'}").now().word == "stall"

    @given(
        st.one_of(
            st.text(), st.lists(st.sampled_from([*WORDS, "5", "1e9", ";", "loop", "\x00", "#", "\ud800"])).map(" ".join)
        )
    )
    def test_no_text_crashes_the_parser(self, text: str) -> None:
        try:
            parse_script(text).at(1.0)
        except ConfigError as error:
            assert len(str(error)) < 400

    @given(st.binary(max_size=200))
    def test_no_bytes_crash_the_reader(self, data: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "script")
            file.write_bytes(data)
            try:
                ScriptClock(f"@{file}").now()
            except (ConfigError, MissingInputError) as error:
                assert len(str(error)) < 600
