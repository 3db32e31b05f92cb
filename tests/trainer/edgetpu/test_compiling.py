"""Compiling an int8 model for the Edge TPU. Coral's compiler is not available here: its output of real runs
(shared/edgetpu) is parsed as it is, and replayed by a stand-in (recorded_compiler.py) instead of the compiler."""

import errno
import io
import json
import os
import shlex
import signal
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import recorded_compiler
from handmade_graphs import tflite
from recorded_compiler import is_at_work, retold
from standin_twins import twin_of

from edge.errors import ModelError, StorageError, UnavailableError
from trainer.edgetpu import compiler_call
from trainer.edgetpu.compiler_call import split_command
from trainer.edgetpu.compiler_report import last_words
from trainer.edgetpu.compiling import OperatorRow, check_counts, compile_model, parse_report
from trainer.edgetpu.tflite_graph import read_graph

Files = Callable[[str], Path]
StandIn = Callable[..., str]

MAPPED = "Mapped to Edge TPU"
ONE_SUBGRAPH = "More than one subgraph is not supported"
STAND_IN = Path(recorded_compiler.__file__)
COMMAND = shlex.join([sys.executable, str(STAND_IN)])


@pytest.fixture
def recorded(shared: Path) -> Callable[[str], Path]:
    """A file of real compiler output."""
    return lambda name: shared / "edgetpu" / name


@pytest.fixture
def coral(shared: Path) -> Callable[[str], Path]:
    """One of Coral's models."""
    return lambda name: shared / "models" / f"{name}.tflite"


@pytest.fixture
def model(coral: Files) -> bytes:
    """A model of which Coral publishes the compiled twin."""
    return coral("mobilenet_v1_0.25_128_quant").read_bytes()


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Prepare the stand-in's behaviour. Returns its command."""

    def tell(**told: object) -> str:
        monkeypatch.setenv("RECORDED_COMPILER", json.dumps(told, default=str))
        return COMMAND

    return tell


# What the compiler prints


def test_a_model_mapped_whole_is_counted_from_the_table(recorded: Files) -> None:
    """33 + 1 + 3 + 21 + 1 + 23 + 132 = 214, which the text gives as its total, too."""
    report = parse_report(recorded("compiler_stdout_whole.txt").read_text())
    assert report.version == "15.0.340273435"
    assert (report.on_tpu, report.on_cpu, report.left_out) == (214, 0, "")
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


def test_a_model_mapped_in_part_is_counted_from_its_summary(recorded: Files) -> None:
    report = parse_report(recorded("compiler_stdout_partial.txt").read_text())
    assert report.version == "16.0.384591198"
    assert (report.on_tpu, report.on_cpu) == (264, 3)
    assert report.on_chip_bytes == 4414505  # 4.21 MiB
    assert report.off_chip_bytes == 0
    assert report.rows == ()


def test_a_log_alone_tells_operators_by_where_they_run_and_why(recorded: Files) -> None:
    """On the TPU 6 + 11 + 2 = 19, on the CPU 1 + 1 + 2 + 1 + 1 = 6."""
    report = parse_report(recorded("compiler_log_mixed.log").read_text())
    assert report.version == "14.1.317412892"
    assert (report.on_tpu, report.on_cpu) == (19, 6)
    assert (report.on_chip_bytes, report.off_chip_bytes) == (None, None)
    assert report.left_out == "CONCATENATION, RESIZE_NEAREST_NEIGHBOR, CONV_2D x2, QUANTIZE x2"
    assert OperatorRow("CONV_2D", 11, MAPPED) in report.rows
    assert OperatorRow("CONV_2D", 2, ONE_SUBGRAPH) in report.rows


def test_a_refusal_is_no_report(recorded: Files) -> None:
    with pytest.raises(ModelError, match="Model not quantized"):
        parse_report(recorded("compiler_stdout_refused.txt").read_text())


def test_a_table_that_is_printed_and_logged_counts_once(recorded: Files) -> None:
    printed = recorded("compiler_stdout_whole.txt").read_text()
    logged = "Edge TPU Compiler version 15.0.340273435\n" + printed[printed.index("Operator ") :]
    assert parse_report(printed + "\n" + logged) == parse_report(printed)


def test_the_log_adds_its_table_to_a_summary_without_one(recorded: Files) -> None:
    printed = recorded("compiler_stdout_partial.txt").read_text()
    report = parse_report(printed + recorded("compiler_log_mixed.log").read_text())
    assert (report.version, report.on_tpu, report.on_cpu) == ("16.0.384591198", 264, 3)
    assert len(report.rows) == 8


def test_rows_of_one_operator_and_status_are_added_up() -> None:
    rows = f"CONV_2D  2  {MAPPED}\nCONV_2D  2  {MAPPED}\n\nCONV_2D  3  {ONE_SUBGRAPH}\nCUSTOM 1 {ONE_SUBGRAPH}\n"
    report = parse_report(
        f"Edge TPU Compiler version 16.0.384591198\nOperator  Count  Status\n\n{rows}\nThe end 3 times.\n"
    )
    assert report.rows == (
        OperatorRow("CONV_2D", 4, MAPPED),
        OperatorRow("CONV_2D", 3, ONE_SUBGRAPH),
        OperatorRow("CUSTOM", 1, ONE_SUBGRAPH),
    )
    assert (report.on_tpu, report.on_cpu) == (4, 4)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Edge TPU Compiler version 17.0.1\nA new kind of summary\n",
        "Edge TPU Compiler version 16.0.384591198\nTotal number of operations: 3\n",
        "Number of operations that will run on Edge TPU: many\n",
    ],
)
def test_words_that_are_not_known_are_no_report(text: str) -> None:
    with pytest.raises(ModelError, match="the compiler's output is not recognized"):
        parse_report(text)


def test_a_version_that_nobody_here_has_seen_is_told() -> None:
    assert not parse_report(
        "Edge TPU Compiler version 17.0\nNumber of operations that will run on Edge TPU: 3\n"
    ).tested
    assert parse_report("Edge TPU Compiler version 16.0.1\nNumber of operations that will run on Edge TPU: 3\n").tested


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("Edge TPU Compiler version 17.0.1-beta", "17.0.1-beta"),
        ("Edge TPU Compiler version dev", "dev"),
        ("Edge TPU Compiler version \x1b[31mred", "?[31mred"),
        ("Some compiler", "unknown"),
    ],
)
def test_counts_are_taken_with_any_version_or_none(line: str, version: str) -> None:
    report = parse_report(f"{line}\nNumber of operations that will run on Edge TPU: 3\n")
    assert (report.version, report.on_tpu, report.tested) == (version, 3, False)


def test_what_is_repeated_of_the_compilers_words_cannot_steer_a_terminal() -> None:
    assert last_words("\x1b[2J\x1b]0;title\x07Invalid\tmodel\n\u202eX\n") == "?[2J?]0;title?Invalid model; ?X"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("Number of operations that will run on Edge TPU: 2\nNumber of operations that will run on CPU: 1\n", 3),
        ("Number of operations that will run on Edge TPU: 2\nTotal number of operations: 31\n", 31),
    ],
)
def test_words_of_another_model_are_known_by_the_number_of_operators(words: str, told: int) -> None:
    with pytest.raises(ModelError, match=f"the compiler reports {told} operators, the model has 2: .*another model"):
        check_counts(parse_report(words), read_graph(tflite()))


def test_words_of_this_model_are_known_by_the_number_of_operators() -> None:
    words = "Number of operations that will run on Edge TPU: 2\nTotal number of operations: 2\n"
    check_counts(parse_report(words), read_graph(tflite()))


# Calling it


def test_a_compiled_model_comes_with_its_report_and_the_compilers_words(
    stand_in: StandIn, recorded: Files, coral: Files, model: bytes
) -> None:
    words = retold(recorded("compiler_stdout_whole.txt").read_text(), 31)
    twin = coral("mobilenet_v1_0.25_128_quant_edgetpu")
    compiled = compile_model(model, command=stand_in(say=words, output=twin))
    assert compiled.model == twin.read_bytes()
    assert compiled.log == words
    assert compiled.report == parse_report(compiled.log)
    assert compiled.remarks == ()


def test_the_compiler_gets_the_model_and_its_documented_options(
    stand_in: StandIn, model: bytes, tmp_path: Path
) -> None:
    compile_model(model, command=stand_in(seen=tmp_path / "seen"), timeout_s=120)
    options = (tmp_path / "seen").read_text().splitlines()
    assert options[:4] == ["--show_operations", "--timeout_sec", "120", "--out_dir"]
    assert options[5:] == [f"{options[4]}/model.tflite"]


def test_a_compiler_that_does_not_know_of_a_time_limit_is_asked_without(
    stand_in: StandIn, model: bytes, tmp_path: Path
) -> None:
    compiled = compile_model(model, command=stand_in(refuses="--timeout_sec", seen=tmp_path / "seen"))
    assert b"edgetpu-custom-op" in compiled.model
    assert (tmp_path / "seen").read_text().splitlines()[:2][1] == "--out_dir"


def test_the_compiler_is_found_on_the_path(
    stand_in: StandIn, model: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stand_in()
    program = tmp_path / "edgetpu_compiler"
    program.write_text(f'#!/bin/sh\n# A stand-in: replays recorded output.\nexec {COMMAND} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert compile_model(model).report.on_tpu == 31


def test_the_log_file_adds_the_table_that_was_not_printed(stand_in: StandIn, recorded: Files) -> None:
    model = tflite(operators=("RELU",) * 25)  # as many as in the log
    command = stand_in(say="Model compiled successfully in 12 ms.\n", log=recorded("compiler_log_mixed.log"))
    compiled = compile_model(model, command=command, allow_partial=True)
    assert (compiled.report.on_tpu, compiled.report.on_cpu) == (19, 6)
    assert "Model compiled successfully" in compiled.log
    assert "RESIZE_NEAREST_NEIGHBOR" in compiled.log


def test_a_partial_mapping_names_the_operators_and_how_to_allow_it(
    stand_in: StandIn, recorded: Files, coral: Files
) -> None:
    deeplab = coral("deeplabv3_mnv2_dm05_pascal_quant").read_bytes()
    told = {
        "say": retold(recorded("compiler_stdout_partial.txt").read_text(), 69, 3),
        "output": coral("deeplabv3_mnv2_dm05_pascal_quant_edgetpu"),
    }
    with pytest.raises(ModelError, match=r"RESIZE_BILINEAR x3, QUANTIZE, .*--allow-partial"):
        compile_model(deeplab, command=stand_in(**told))
    compiled = compile_model(deeplab, command=stand_in(**told), allow_partial=True)
    assert (compiled.report.on_tpu, compiled.report.on_cpu) == (69, 3)
    assert compiled.remarks == (
        "the compiler reports 3 operators on the CPU, its file has 8: do they belong together?",
    )


def test_words_of_another_models_compilation_are_not_taken(
    stand_in: StandIn, recorded: Files, coral: Files, model: bytes
) -> None:
    """The output and the file are good by themselves, but do not belong together."""
    told = {"say": recorded("compiler_stdout_whole.txt"), "output": coral("mobilenet_v1_0.25_128_quant_edgetpu")}
    with pytest.raises(ModelError, match="the compiler reports 214 operators, the model has 31"):
        compile_model(model, command=stand_in(**told))


def test_a_refusal_repeats_the_compilers_reason_and_what_the_check_says(stand_in: StandIn, recorded: Files) -> None:
    command = stand_in(say=recorded("compiler_stdout_refused.txt"), output="none", status=1)
    with pytest.raises(ModelError) as caught:
        compile_model(tflite(operators=("ELU",)), command=command)
    assert "refused the model: Invalid model: keras_model_2-3-0.tflite; Model not quantized" in str(caught.value)
    assert "(check-edgetpu: no operator can be mapped; change: ELU: use ReLU)" in str(caught.value)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"say": "Internal compiler error. Aborting!\n", "output": "none", "status": 134}, "Internal compiler error"),
        ({"say": "", "output": "none", "status": 3}, "status 3"),
        ({"say": "", "output": "none", "status": "crash"}, r"the compiler crashed \(SIGSEGV\)"),
        ({"say": "", "output": "none", "status": 139}, r"the compiler crashed \(SIGSEGV\)"),
        ({"output": "none"}, r"ended with status 0 but wrote no model_edgetpu.tflite: Model compiled successfully"),
        ({"output": "twin", "status": 1}, "refused the model"),
    ],
    ids=["says why", "says nothing", "crashes", "crashes in a container", "leaves no file", "leaves a file and fails"],
)
def test_a_failure_is_told_with_what_there_is(
    stand_in: StandIn, model: bytes, told: dict[str, object], reason: str
) -> None:
    with pytest.raises(ModelError, match=reason):
        compile_model(model, command=stand_in(**told))


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("same", "no operator for the Edge TPU"),
        (
            "garbage",
            r"^the compiler's output cannot be read: damaged .tflite: .*; compile again, or with another compiler",
        ),
        ("CUT", r"^the compiler's output cannot be read: damaged .tflite: .*; compile again"),
        ("TEXT", r"^the compiler's output cannot be read: not a TFLite model \(no TFL3 mark\); compile again"),
        ("OTHER", "compiled from another model"),
        ("empty", "is empty: a placeholder, not the compiler's output; compile again, or with another compiler"),
    ],
)
def test_an_output_that_is_not_this_model_compiled_is_refused(
    stand_in: StandIn, coral: Files, model: bytes, tmp_path: Path, output: str | Path, reason: str
) -> None:
    if output == "CUT":
        output = tmp_path / "cut.tflite"
        output.write_bytes(coral("mobilenet_v1_0.25_128_quant_edgetpu").read_bytes()[:-30_000])
    if output == "TEXT":
        output = coral("mobilenet_v1_0.25_128_quant").with_name("imagenet_labels.txt")
    if output == "OTHER":
        output = coral("mobilenet_v1_0.5_160_quant_edgetpu")
    with pytest.raises(ModelError, match=reason):
        compile_model(model, command=stand_in(output=output))


def test_an_output_of_another_scale_is_refused(stand_in: StandIn, tmp_path: Path) -> None:
    other = tmp_path / "other_edgetpu.tflite"
    other.write_bytes(twin_of(tflite(scale=0.25))[0])
    with pytest.raises(ModelError, match=r"scale 0.25 zero point -3, must be 1x4 int8 scale 0.5 zero point -3"):
        compile_model(tflite(scale=0.5), command=stand_in(output=other))


def test_a_compiler_that_prints_nothing_known_is_not_trusted(stand_in: StandIn, model: bytes) -> None:
    with pytest.raises(ModelError, match="the compiler's output is not recognized: All is well"):
        compile_model(model, command=stand_in(say="All is well\n"))


def test_a_version_that_is_new_is_taken_with_a_remark(stand_in: StandIn, model: bytes) -> None:
    words = "Edge TPU Compiler version 17.0.1\nModel compiled successfully in 1 ms.\nTotal number of operations: 31\n"
    compiled = compile_model(model, command=stand_in(say=words))
    assert compiled.report.version == "17.0.1"
    assert compiled.remarks == (
        "compiler version 17.0.1: only output of 14.1, 15.0 and 16.0 has been tested, not of this one",
    )


def test_a_compiler_that_hangs_is_ended_with_all_that_it_started(
    stand_in: StandIn, model: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real one compiles in a child process: killing the parent alone would leave that at work."""
    monkeypatch.setattr(compiler_call, "GRACE_S", 0)  # it is given 30 s to end by itself
    with pytest.raises(ModelError, match="no end after 3 s: the model is too large, or --timeout too short"):
        compile_model(model, command=stand_in(status="hang", seen=tmp_path / "child"), timeout_s=3)
    child = int((tmp_path / "child").read_text())
    for _ in range(600):
        if not is_at_work(child):
            return
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the compiler's child is still at work")


def test_a_compiler_that_prints_without_end_is_ended(
    stand_in: StandIn, model: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    with pytest.raises(ModelError, match=r"printed more than 16 MiB and was ended: is it the compiler\?") as caught:
        compile_model(model, command=stand_in(status="endless"))
    assert "\n" not in str(caught.value)
    assert list(scratch.iterdir()) == []


def test_a_compiler_that_leaves_a_process_behind_is_not_waited_for(
    stand_in: StandIn, model: bytes, tmp_path: Path
) -> None:
    """A daemon that it starts keeps the compiler's standard output open."""
    started = time.monotonic()
    try:
        compiled = compile_model(model, command=stand_in(status="leaves a child", seen=tmp_path / "child"))
        assert compiled.report.on_tpu == 31
        assert time.monotonic() - started < 60, "its time-out is 300 s"
    finally:
        os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


def test_a_full_folder_for_temporary_files_is_told_with_its_name(
    stand_in: StandIn, model: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError) as caught:
        compile_model(model, command=stand_in())
    assert str(caught.value) == (
        f"{tmp_path}: cannot write the model for the compiler: No space left on device; "
        "make room there, or set TMPDIR to another folder"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_for_temporary_files_is_told(
    stand_in: StandIn, model: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(StorageError, match="set TMPDIR to another folder"):
        compile_model(model, command=stand_in())


def test_a_missing_compiler_is_unavailable(model: bytes) -> None:
    with pytest.raises(UnavailableError, match="no-such-compiler is not on this machine"):
        compile_model(model, command="no-such-compiler")


@pytest.mark.parametrize("command", ["", "  ", "'unclosed"])
def test_a_command_that_is_none_is_told(model: bytes, command: str) -> None:
    with pytest.raises(UnavailableError, match="compiler command"):
        compile_model(model, command=command)


def test_a_compiler_that_cannot_be_started_is_unavailable(tmp_path: Path, model: bytes) -> None:
    """On an ARM machine, the kernel refuses the program."""
    program = tmp_path / "edgetpu_compiler"
    program.write_bytes(b"\x7fELF, but not really")
    program.chmod(0o755)
    with pytest.raises(UnavailableError, match="cannot be started"):
        compile_model(model, command=str(program))


def test_what_is_no_model_is_told_before_anything_is_called() -> None:
    with pytest.raises(ModelError, match="no TFL3 mark"):
        compile_model(b"hello, hello", command="no-such-compiler")


@pytest.mark.parametrize("status", [0, 1])
def test_nothing_is_left_in_the_temporary_folder(
    stand_in: StandIn, model: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    try:
        compile_model(model, command=stand_in(status=status))
    except ModelError:
        assert status == 1
    assert list(scratch.iterdir()) == []


# A compiler elsewhere


def test_a_command_is_split_as_a_shell_would() -> None:
    assert split_command("docker run -v '/a b:/a b' image edgetpu_compiler") == [
        "docker",
        "run",
        "-v",
        "/a b:/a b",
        "image",
        "edgetpu_compiler",
    ]


@pytest.fixture
def docker(tmp_path: Path) -> Path:
    """A stand-in for docker: it runs the command here if the folder of the model is the one that is mounted."""
    program = tmp_path / "docker"
    program.write_text(
        "#!/bin/sh\n# A stand-in: no container, the mount is only looked at.\n"
        '[ "$1 $2 $3" = "run --rm -v" ] || exit 125\n'
        'mounted=${4%%:*}; for last; do :; done\n[ "$(dirname "$last")" = "$mounted" ] || exit 125\nshift 5\n'
        f'exec {COMMAND} "$@"\n'
    )
    program.chmod(0o755)
    return program


def test_a_container_gets_the_folder_by_its_placeholder(stand_in: StandIn, docker: Path, model: bytes) -> None:
    stand_in()
    compiled = compile_model(model, command=f"{docker} run --rm -v {{folder}}:{{folder}} image")
    assert read_graph(compiled.model).compiled
    with pytest.raises(UnavailableError, match="cannot be called: status 125"):
        compile_model(model, command=f"{docker} run --rm -v /elsewhere:/elsewhere image")


def test_the_projects_own_container_is_called_by_its_wrapper(
    stand_in: StandIn, tmp_path: Path, model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in()
    engine = tmp_path / "podman"
    engine.write_text(
        "#!/bin/sh\n# A stand-in: no container, the words for it are left out.\n"
        f'while [ "$1" != edgetpu_compiler ]; do shift; done\nshift\nexec {COMMAND} "$@"\n'
    )
    engine.chmod(0o755)
    monkeypatch.setenv("FIELDFARE_CONTAINER", str(engine))
    wrapper = Path(__file__).resolve().parents[3] / "tools" / "container" / "edgetpu_compiler"
    assert read_graph(compile_model(model, command=str(wrapper)).model).compiled
    monkeypatch.setenv("FIELDFARE_CONTAINER", str(tmp_path / "no-such-program"))
    with pytest.raises(UnavailableError, match=r"cannot be called: .*not found"):
        compile_model(model, command=str(wrapper))


@pytest.fixture
def ssh(tmp_path: Path) -> Path:
    """A stand-in for ssh: the remote machine is a shell in a folder of its own, on this one."""
    (tmp_path / "remote").mkdir()
    program = tmp_path / "ssh"
    program.write_text(
        "#!/bin/sh\n# A stand-in: runs the command in a local shell, as sshd does with a login shell.\n"
        '[ "$1" = -p ] && shift 2\n[ "$1" = build ] || { echo "ssh: Could not resolve hostname $1" >&2; exit 255; }\n'
        f'shift; cd {tmp_path / "remote"}; export TMPDIR={tmp_path / "remote"}; exec sh -c "$*"\n'
    )
    program.chmod(0o755)
    return program


def test_through_ssh_the_model_goes_there_and_the_results_come_back(
    stand_in: StandIn, ssh: Path, recorded: Files, tmp_path: Path
) -> None:
    model = tflite(operators=("RELU",) * 25)  # as many as in the log
    stand_in(log=recorded("compiler_log_mixed.log"))
    command = f"{ssh} -p 2222 build {shlex.quote(COMMAND)}"
    compiled = compile_model(model, command=command, allow_partial=True)
    assert read_graph(compiled.model).compiled
    assert (compiled.report.version, compiled.report.on_tpu) == ("16.0.384591198", 19)  # words and log together
    assert "RESIZE_NEAREST_NEIGHBOR" in compiled.log
    assert list((tmp_path / "remote").iterdir()) == [], "nothing is left there"


def test_a_refusal_comes_through_ssh_too(stand_in: StandIn, ssh: Path, recorded: Files, model: bytes) -> None:
    stand_in(say=recorded("compiler_stdout_refused.txt"), output="none", status=1)
    with pytest.raises(ModelError, match=r"Model not quantized \(check-edgetpu finds no reason\)"):
        compile_model(model, command=f"{ssh} build {shlex.quote(COMMAND)}")


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ("nowhere edgetpu_compiler", "no answer .*Could not resolve hostname nowhere"),
        ("build no-such-compiler", "cannot be called: .*no-such-compiler"),
        ("build", r"must be: ssh \[options\] HOST edgetpu_compiler"),
    ],
)
def test_ssh_that_does_not_get_there_is_unavailable(ssh: Path, model: bytes, rest: str, reason: str) -> None:
    with pytest.raises(UnavailableError, match=reason):
        compile_model(model, command=f"{ssh} {rest}")


def test_what_comes_back_through_ssh_is_bounded(
    stand_in: StandIn, ssh: Path, model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in()
    monkeypatch.setattr(compiler_call, "MAX_BYTES", 1 << 16)
    with pytest.raises(ModelError, match="printed more than 0 MiB and was ended"):
        compile_model(model, command=f"{ssh} build {shlex.quote(COMMAND)}")


def test_an_archive_that_claims_more_than_it_holds_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive with a sparse file does: holes of gigabytes in a few bytes."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as file:
        entry = tarfile.TarInfo("model_edgetpu.tflite")
        entry.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(1 << 40)}
        file.addfile(entry)
    with pytest.raises(ModelError, match="sent more than 256 MiB back"):
        compiler_call._unpack(archive.getvalue())


def test_a_login_shell_that_talks_spoils_the_archive_and_is_told(ssh: Path, stand_in: StandIn, model: bytes) -> None:
    stand_in()
    ssh.write_text(ssh.read_text().replace("shift; cd", "echo Welcome to this machine; shift; cd"))
    with pytest.raises(UnavailableError, match="print something at login"):
        compile_model(model, command=f"{ssh} build {shlex.quote(COMMAND)}")
