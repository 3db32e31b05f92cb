"""The container of trainer and compiler: the call from outside, on a stand-in for podman and docker."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

CONTAINER = Path(__file__).resolve().parents[2] / "tools" / "container"
WRAPPER = CONTAINER / "edgetpu_compiler"
# It writes down its words, and compiles in place of the container.
STAND_IN = """#!/bin/sh
printf '%s\\n' "$@" > "$SEEN"
while [ "$1" != edgetpu_compiler ]; do shift; done
while [ $# -gt 1 ]; do [ "$1" = --out_dir ] && out=$2; shift; done
cp "$1" "$out/model_edgetpu.tflite"
echo 'Edge TPU Compiler version 16.0.384591198'
"""


def engine(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(STAND_IN)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def call(tmp_path: Path, *words: object, **variables: str) -> "subprocess.CompletedProcess[str]":
    system = [part for part in os.environ["PATH"].split(os.pathsep) if part in ("/usr/bin", "/bin")]
    return subprocess.run(
        [str(WRAPPER), *map(str, words)],
        env={"PATH": os.pathsep.join([str(tmp_path / "bin"), *system]), "SEEN": str(tmp_path / "seen"), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file in a folder whose name has a blank."""
    (tmp_path / "the model").mkdir()
    path = tmp_path / "the model" / "model.tflite"
    path.write_bytes(b"TFL3")
    return path


def test_the_compiler_sees_one_folder_and_no_network(tmp_path: Path, model: Path) -> None:
    engine(tmp_path / "bin", "podman")
    done = call(tmp_path, "--show_operations", "--out_dir", model.parent, model)
    assert done.returncode == 0, done.stderr
    assert (model.parent / "model_edgetpu.tflite").read_bytes() == b"TFL3"
    words = (tmp_path / "seen").read_text().splitlines()
    assert words[:2] == ["run", "--rm"]
    assert {"--network=none", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--read-only"} <= set(words)
    folder = str(model.parent.resolve())
    assert words[words.index("--volume") + 1] == f"{folder}:{folder}:Z"
    assert words[words.index("fieldfare") :] == [
        "fieldfare",
        "edgetpu_compiler",
        "--show_operations",
        "--out_dir",
        str(model.parent),
        str(model),
    ]
    assert "--user" not in words, "podman's root is who called it"


def test_docker_runs_as_who_called_it(tmp_path: Path, model: Path) -> None:
    program = engine(tmp_path / "bin", "docker")
    done = call(tmp_path, "--out_dir", model.parent, model, FIELDFARE_CONTAINER=str(program), FIELDFARE_IMAGE="mine")
    assert done.returncode == 0, done.stderr
    words = (tmp_path / "seen").read_text().splitlines()
    assert words[words.index("--user") + 1] == f"{os.getuid()}:{os.getgid()}"
    assert "mine" in words


def test_without_a_container_program_it_cannot_be_called(tmp_path: Path, model: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("basename", "dirname", "sh", "env"):
        (tmp_path / "bin" / name).symlink_to(f"/usr/bin/{name}")
    missing = call(tmp_path, model, PATH=str(tmp_path / "bin"))
    assert (missing.returncode, missing.stderr) == (127, "edgetpu_compiler: neither podman nor docker is installed\n")


@pytest.mark.parametrize("words", [(), ("--show_operations",), ("nowhere.tflite",)])
def test_no_model_is_wrong_usage(tmp_path: Path, words: tuple[str, ...]) -> None:
    engine(tmp_path / "bin", "podman")
    refused = call(tmp_path, *words)
    assert refused.returncode == 2
    assert "no such file; give options, then one model" in refused.stderr
    assert not (tmp_path / "seen").exists()


def test_the_image_copies_what_there_is() -> None:
    root = CONTAINER.parents[1]
    for line in (CONTAINER / "Containerfile").read_text().splitlines():
        if line.startswith("COPY "):
            for source in line.split()[1:-1]:
                assert (root / source).exists(), source


@pytest.mark.parametrize("name", ["edgetpu_compiler", "install_compiler"])
def test_the_scripts_are_plain_shell(name: str) -> None:
    checked = subprocess.run(["sh", "-n", str(CONTAINER / name)], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
