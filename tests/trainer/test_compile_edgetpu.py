"""int8 model -> its Edge TPU twin. Coral's compiler is not to be had here: what it printed in real runs
(shared/edgetpu) is parsed as it is, and replayed by stand-ins where it would be called."""

import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.errors import ModelError, UnavailableError
from trainer import compile_edgetpu
from trainer.compile_edgetpu import OperatorRow, compile_model, parse_report

MAPPED = "Mapped to Edge TPU"
ONE_SUBGRAPH = "More than one subgraph is not supported"

HEADER = """#!/bin/sh
# A stand-in, not Coral's edgetpu_compiler: it replays recorded output.
here=$(dirname "$0")
echo "$@" > "$here/called-with"
while [ $# -gt 1 ]; do
    if [ "$1" = --out_dir ]; then out=$2; fi
    shift
done
cp "$1" "$here/given.tflite"
"""


@pytest.fixture
def recorded(shared: Path) -> Callable[[str], Path]:
    """A file of real compiler output."""
    return lambda name: shared / "edgetpu" / name


@pytest.fixture
def twin(shared: Path) -> Path:
    """A model that the real compiler made."""
    return shared / "models" / "mobilenet_v1_0.25_128_quant_edgetpu.tflite"


@pytest.fixture
def model(shared: Path) -> bytes:
    """The int8 model that the twin was made from."""
    return (shared / "models" / "mobilenet_v1_0.25_128_quant.tflite").read_bytes()


@pytest.fixture
def stand_in(tmp_path: Path) -> Callable[[str], str]:
    """Write a stand-in for the compiler whose last lines are given."""

    def make(*lines: str) -> str:
        script = tmp_path / "edgetpu_compiler"
        script.write_text(HEADER + "\n".join(lines) + "\n")
        script.chmod(0o755)
        return str(script)

    return make


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler is given 30 s beyond its own time limit to end by itself; here, none."""
    monkeypatch.setattr(compile_edgetpu, "GRACE_S", 0)


def is_at_work(process: int) -> bool:
    """False once a process is gone, or dead and not yet collected by its new parent."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


# What the compiler prints


def test_a_model_mapped_whole_is_counted_from_the_table(recorded):
    """33 + 1 + 3 + 21 + 1 + 23 + 132 = 214, which the text gives as its total, too."""
    report = parse_report(recorded("compiler_stdout_whole.txt").read_text())
    assert report.version == "15.0.340273435"
    assert (report.on_tpu, report.on_cpu) == (214, 0)
    assert report.on_chip_bytes == 7381975  # 7.04 MiB
    assert report.off_chip_bytes == 15791555  # 15.06 MiB
    assert report.rows == (
        OperatorRow("QUANTIZE", 33, MAPPED),
        OperatorRow("MEAN", 1, MAPPED),
        OperatorRow("MAX_POOL_2D", 3, MAPPED),
        OperatorRow("ADD", 21, MAPPED),
        OperatorRow("FULLY_CONNECTED", 1, MAPPED),
        OperatorRow("CONCATENATION", 23, MAPPED),
        OperatorRow("CONV_2D", 132, MAPPED),
    )


def test_a_model_mapped_in_part_is_counted_from_its_summary(recorded):
    report = parse_report(recorded("compiler_stdout_partial.txt").read_text())
    assert report.version == "16.0.384591198"
    assert (report.on_tpu, report.on_cpu) == (264, 3)
    assert report.on_chip_bytes == 4414505  # 4.21 MiB
    assert report.off_chip_bytes == 0
    assert report.rows == ()


def test_a_log_alone_tells_operators_by_where_they_run_and_why(recorded):
    """On the TPU 6 + 11 + 2 = 19, on the CPU 1 + 1 + 2 + 1 + 1 = 6."""
    report = parse_report(recorded("compiler_log_mixed.log").read_text())
    assert report.version == "14.1.317412892"
    assert (report.on_tpu, report.on_cpu) == (19, 6)
    assert report.on_chip_bytes is None
    assert report.off_chip_bytes is None
    assert len(report.rows) == 8
    assert OperatorRow("CONV_2D", 11, MAPPED) in report.rows
    assert OperatorRow("CONV_2D", 2, ONE_SUBGRAPH) in report.rows
    assert OperatorRow("RESIZE_NEAREST_NEIGHBOR", 1, "Operation version not supported") in report.rows


def test_a_refusal_is_no_report(recorded):
    with pytest.raises(ModelError, match="Model not quantized"):
        parse_report(recorded("compiler_stdout_refused.txt").read_text())


def test_a_table_that_is_printed_and_logged_counts_once(recorded):
    printed = recorded("compiler_stdout_whole.txt").read_text()
    logged = "Edge TPU Compiler version 15.0.340273435\n" + printed[printed.index("Operator ") :]
    assert parse_report(printed + "\n" + logged) == parse_report(printed)


@pytest.mark.parametrize("text", ["", "Edge TPU Compiler version 17.0.1\nA new kind of summary\n"])
def test_words_that_are_not_known_are_no_report(text):
    with pytest.raises(ModelError, match="printed nothing that is known"):
        parse_report(text)


# Calling it


def test_a_compiled_model_comes_with_its_report_and_the_compilers_words(stand_in, recorded, twin, model):
    words = recorded("compiler_stdout_whole.txt")
    compiled = compile_model(model, command=stand_in(f"cp {twin} $out/model_edgetpu.tflite", f"cat {words}"))
    assert compiled.model == twin.read_bytes()
    assert compiled.log == words.read_text()
    assert compiled.report == parse_report(compiled.log)


def test_the_compiler_gets_the_model_and_its_documented_options(stand_in, recorded, twin, model, tmp_path):
    words = recorded("compiler_stdout_whole.txt")
    command = stand_in(f"cp {twin} $out/model_edgetpu.tflite", f"cat {words}")
    compile_model(model, command=command, timeout_s=120)
    options = (tmp_path / "called-with").read_text().split()
    assert options[:4] == ["--show_operations", "--timeout_sec", "120", "--out_dir"]
    assert options[5:] == [f"{options[4]}/model.tflite"]
    assert (tmp_path / "given.tflite").read_bytes() == model


def test_the_compiler_is_found_on_the_path(stand_in, recorded, twin, model, monkeypatch):
    words = recorded("compiler_stdout_partial.txt")
    folder = Path(stand_in(f"cp {twin} $out/model_edgetpu.tflite", f"cat {words}")).parent
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    report = compile_model(model).report
    assert (report.on_tpu, report.on_cpu) == (264, 3)


def test_the_log_file_adds_the_table_that_was_not_printed(stand_in, recorded, twin, model):
    lines = (
        f"cp {twin} $out/model_edgetpu.tflite",
        f"cp {recorded('compiler_log_mixed.log')} $out/model_edgetpu.log",
        "echo Model compiled successfully in 12 ms.",
    )
    compiled = compile_model(model, command=stand_in(*lines))
    assert (compiled.report.on_tpu, compiled.report.on_cpu) == (19, 6)
    assert "Model compiled successfully" in compiled.log
    assert "RESIZE_NEAREST_NEIGHBOR" in compiled.log


def test_a_refusal_repeats_the_compilers_reason_without_its_version(stand_in, recorded, model):
    command = stand_in(f"cat {recorded('compiler_stdout_refused.txt')}", "exit 1")
    with pytest.raises(ModelError, match=r"refused the model: Invalid model: \S+; Model not quantized$"):
        compile_model(model, command=command)


def test_what_is_said_on_standard_error_is_part_of_the_reason(stand_in, model):
    command = stand_in("echo Internal compiler error. Aborting! >&2", "exit 134")
    with pytest.raises(ModelError, match="refused the model: Internal compiler error"):
        compile_model(model, command=command)


def test_a_silent_failure_gives_at_least_its_status(stand_in, model):
    with pytest.raises(ModelError, match=r"refused the model: status 3$"):
        compile_model(model, command=stand_in("exit 3"))


def test_success_without_an_output_file_is_a_refusal(stand_in, recorded, model):
    command = stand_in(f"cat {recorded('compiler_stdout_whole.txt')}")
    with pytest.raises(ModelError, match="refused the model"):
        compile_model(model, command=command)


@pytest.mark.parametrize("content", ["cp $1", "echo rubbish >"], ids=["the model as it was", "no model"])
def test_an_output_without_an_operator_for_the_edge_tpu_is_refused(stand_in, recorded, model, content):
    command = stand_in(f"{content} $out/model_edgetpu.tflite", f"cat {recorded('compiler_stdout_whole.txt')}")
    with pytest.raises(ModelError, match="no operator for the Edge TPU"):
        compile_model(model, command=command)


def test_a_compiler_that_prints_nothing_known_is_not_trusted(stand_in, twin, model):
    command = stand_in(f"cp {twin} $out/model_edgetpu.tflite", "echo All is well")
    with pytest.raises(ModelError, match="printed nothing that is known: All is well"):
        compile_model(model, command=command)


@pytest.mark.usefixtures("short_grace")
def test_a_compiler_that_hangs_is_ended_with_all_that_it_started(stand_in, model, tmp_path):
    """The real one compiles in a child process: killing the parent alone would leave that at work."""
    command = stand_in("sleep 600 &", "echo $! > $here/child", "wait")
    with pytest.raises(ModelError, match="no end after 1 s: the model is too large"):
        compile_model(model, command=command, timeout_s=1)
    child = int((tmp_path / "child").read_text())
    for _ in range(100):
        if not is_at_work(child):
            return
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the compiler's child is still at work")


def test_a_missing_compiler_is_unavailable_and_says_where_it_runs(model):
    with pytest.raises(UnavailableError, match=r"no-such-compiler is not on this machine \(x86-64 Linux"):
        compile_model(model, command="no-such-compiler")


def test_a_compiler_that_cannot_be_started_is_unavailable(tmp_path, model):
    """As on an ARM machine, where the kernel refuses the program."""
    program = tmp_path / "edgetpu_compiler"
    program.write_bytes(b"\x7fELF, but not really")
    program.chmod(0o755)
    with pytest.raises(UnavailableError, match="cannot be started"):
        compile_model(model, command=str(program))


@pytest.mark.parametrize("end", ["exit 0", "exit 1"])
def test_nothing_is_left_in_the_temporary_folder(stand_in, recorded, twin, model, monkeypatch, tmp_path, end):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    words = recorded("compiler_stdout_whole.txt")
    command = stand_in(f"cp {twin} $out/model_edgetpu.tflite", f"cat {words}", end)
    if end == "exit 0":
        compile_model(model, command=command)
    else:
        with pytest.raises(ModelError):
            compile_model(model, command=command)
    assert list(scratch.iterdir()) == []
