"""A child process: heard line by line, killed whatever it does, never left a zombie."""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scripted import exists, is_gone, wait_until

from edge.processes.child import Child

Start = Callable[..., Child]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Start]:
    """Start Python code as a child; what is left of it after the test is killed."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    children: list[Child] = []

    def begin(code: str, *words: str, pass_fds: tuple[int, ...] = ()) -> Child:
        (tmp_path / "a_child.py").write_text(
            f"import os, signal, sys, time\nOWN = os.environ['FIELDFARE_LOG_MARK']\n{code}\n"
        )
        children.append(Child("a_child", words, pass_fds=pass_fds))
        return children[-1]

    yield begin
    for child in children:
        child.kill()
        child.wait(10.0)
        child.close()


def hear_all(child: Child) -> None:
    assert wait_until(lambda: not child.relay())


def test_its_lines_are_relayed_with_their_levels(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    own = ["INFO ready", "WARNING warm", "ERROR hot", "CRITICAL burning"]
    others = ["a library's word", "INFORMAL too", "", "   "]
    code = f"for line in {own}: print(OWN + line, file=sys.stderr)\n"
    hear_all(start(code + f"sys.stderr.write({chr(10).join(others)!r})"))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "ready"),
        ("WARNING", "warm"),
        ("ERROR", "hot"),
        ("CRITICAL", "burning"),
        ("INFO", "worker: a library's word"),
        ("INFO", "worker: INFORMAL too"),
    ]


def test_a_child_of_another_name_is_logged_under_that(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    first = start("print('a word', file=sys.stderr)")
    child = Child("a_child", name="recorder")
    hear_all(child)
    hear_all(first)
    assert [record.getMessage() for record in caplog.records] == ["recorder: a word", "worker: a word"]
    child.end(10.0)


def test_a_library_cannot_pass_for_our_own_log(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """The name of an operator, with a line break in it, stands in an error that LiteRT prints."""
    hear_all(start("print('unresolved custom op: x\\nCRITICAL the disk is on fire\\n<0>ERROR so', file=sys.stderr)"))
    assert [record.levelname for record in caplog.records] == ["INFO"] * 3


def test_half_a_line_waits_for_its_rest(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    child = start(
        "sys.stderr.write(OWN + 'WARNING half'); sys.stderr.flush(); time.sleep(0.3); sys.stderr.write(' whole\\n')"
    )
    hear_all(child)
    assert [record.getMessage() for record in caplog.records] == ["half whole"]


def test_its_last_words_need_no_line_end_and_no_utf_8(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    child = start("os.write(2, OWN.encode() + b'ERROR \\xff\\xfe went wrong')")
    hear_all(child)
    assert caplog.records[-1].getMessage() == "\ufffd\ufffd went wrong"
    assert not child.relay()


def test_relay_does_not_wait(start: Start) -> None:
    child = start("time.sleep(60)")
    began_s = time.monotonic()
    assert child.relay()
    assert time.monotonic() - began_s < 30, "the child sleeps for 60 s"


def test_a_line_without_end_takes_no_memory(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    child = start("sys.stderr.write('x' * 300_000)")
    hear_all(child)
    assert 0 < len(caplog.records[-1].getMessage()) < 10_000
    assert sum(map(len, child.tail)) < 10_000


def test_a_library_that_never_stops_talking_does_not_fill_the_log(
    start: Start, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.processes.child._LINE_EVERY_S", 0.5)
    code = "for n in range(5000): print('transfer failed', file=sys.stderr)\n"
    code += "print(OWN + 'WARNING mine', file=sys.stderr)\n"
    child = start(code + "sys.stderr.flush(); time.sleep(1); print('it goes on', file=sys.stderr)")
    hear_all(child)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) < 200
    assert "mine" in said, "what we say ourselves is never left out"
    assert said[-2].endswith("more such lines were left out")
    assert said[-1] == "worker: it goes on"


def test_only_the_last_words_are_kept(start: Start) -> None:
    child = start("print(*range(100), sep='\\n', file=sys.stderr)")
    hear_all(child)
    assert len(child.tail) == 12
    assert child.tail[-1] == "99"


def test_it_gets_its_words_and_sockets_and_neither_input_nor_output(start: Start) -> None:
    reading, writing = os.pipe()
    child = start(
        "os.write(int(sys.argv[1]), repr((sys.stdin.read(), sys.argv[2])).encode()); print('lost')",
        str(writing),
        "word",
        pass_fds=(writing,),
    )
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert pipe.read() == "('', 'word')"
    assert child.wait(10.0)


def test_it_is_out_of_reach_of_ctrl_c(start: Start) -> None:
    child = start("time.sleep(60)")
    assert os.getsid(child.pid) == child.pid


def test_nothing_of_the_current_folder_is_imported(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "edge.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(here)
    child = start("import edge.errors")
    assert child.wait(10.0)
    assert child.exit_status() == 0


@pytest.mark.parametrize(
    "code",
    [
        "sys.stderr.write('ready\\n'); time.sleep(60)",
        "sys.stderr.write('ready\\n'); sys.stderr.flush(); os.kill(os.getpid(), signal.SIGSTOP)",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); sys.stderr.write('ready\\n'); time.sleep(60)",
    ],
    ids=["sleeping", "stopped", "deaf"],
)
def test_killed_it_is_gone_and_no_zombie(start: Start, code: str) -> None:
    child = start(code)
    assert wait_until(lambda: child.relay() and child.tail)
    child.kill()
    assert child.wait(5.0)
    assert child.exit_status() == -signal.SIGKILL
    assert not exists(child.pid)
    child.kill()  # nothing happens


def test_what_it_has_started_is_killed_with_it(start: Start) -> None:
    child = start("print(os.fork() or os.getpid(), file=sys.stderr, flush=True); time.sleep(60)")
    assert wait_until(lambda: child.relay() and len(child.tail) == 2)
    grandchild = next(int(word) for word in child.tail if int(word) != child.pid)
    child.kill()
    assert child.wait(5.0)
    assert is_gone(grandchild)


def test_waiting_has_an_end(start: Start) -> None:
    child = start("time.sleep(60)")
    assert not child.wait(0.05)
    assert child.exit_status() is None


def test_a_child_that_limits_its_memory_gets_no_more(start: Start) -> None:
    code = "from edge.processes.child import limit_memory\nlimit_memory(512 << 20)\nlen(bytearray(1 << 30))"
    child = start(code)
    hear_all(child)
    assert child.wait(30.0)
    assert child.tail[-1] == "MemoryError"
