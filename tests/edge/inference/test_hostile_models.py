"""Models and golden pictures of strangers: refused in words, or dead in a process of their own."""

import json
import math
import os
import random
import re
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from handmade_models import classifier
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_models import SIDE, bundle_of, sound_model

from edge.bundle.store import Bundle, open_bundle
from edge.errors import BundleError, EngineError
from edge.inference import golden
from edge.inference.runtime import load_runtime
from edge.inference.tflite import TfliteClassifier, check_details
from edge.preprocess import Preprocessor
from tools.mutants import mutate_bytes, reseal

ROOT = Path(__file__).resolve().parents[3]
ANNOUNCEMENT = "INFO: Created TensorFlow Lite XNNPACK delegate for CPU."
FEW = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundle_of(sound_model(), tmp_path_factory.mktemp("tiny") / "colours")


def prepared(bundle: Bundle) -> golden.GoldenInputs:
    return golden.prepare(bundle, Preprocessor(bundle.manifest.preprocessing, bundle.manifest.input))


def with_picture(tiny: Bundle, name: str, data: bytes) -> Bundle:
    return replace(tiny, contents={**tiny.contents, name: data})


def png_that_claims(tiny: Bundle, name: str, width: int, height: int) -> bytes:
    data = bytearray(tiny.contents[name])
    data[16:24] = struct.pack(">2I", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


class TestGoldenPictures:
    @pytest.mark.parametrize("size", [(321, 1), (1, 321), (9500, 9500), (2**32 - 1, 2**32 - 1), (0, 5)])
    def test_a_frame_is_refused_by_the_size_that_it_claims(self, tiny: Bundle, size: tuple[int, int]) -> None:
        bundle = with_picture(tiny, "f0.png", png_that_claims(tiny, "f0.png", *size))
        with pytest.raises(BundleError, match=rf"f0\.png: {size[0]}x{size[1]} pixels, must be at most 320x320"):
            prepared(bundle)

    def test_pixels_must_be_those_of_the_model(self, tiny: Bundle) -> None:
        bundle = with_picture(tiny, "p1.png", png_that_claims(tiny, "p1.png", SIDE, SIDE + 1))
        with pytest.raises(BundleError, match=r"p1\.png: 16x17 pixels, must be 16x16"):
            prepared(bundle)

    @pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"BM" + bytes(100)])
    def test_only_png_is_decoded(self, tiny: Bundle, data: bytes) -> None:
        with pytest.raises(BundleError, match=r"f0\.png: not a PNG"):
            prepared(with_picture(tiny, "f0.png", data))

    @FEW
    @given(seed=st.integers(0, 2**32))
    def test_no_bytes_raise_anything_else(self, tiny: Bundle, seed: int) -> None:
        data = mutate_bytes(tiny.contents["f0.png"], random.Random(seed))
        try:
            assert len(prepared(with_picture(tiny, "f0.png", data)).cases) == 2
        except BundleError as error:
            assert str(error).startswith("f0.png: ")


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("output", "quantization", "scale"), 1e-300, "output scale"),
        (("input", "quantization", "scale"), 1e300, "input scale"),
        (("preprocessing", "std", 1), 5e-324, r"std\[1\] 4\.94066e-324, must be 1e-09 to 1e\+09"),
        (("preprocessing", "mean", 0), -1e308, r"mean\[0\] -1e\+308, must be -1e\+09 to 1e\+09"),
        (("calibration",), {"temperature": 1e-45}, "temperature 1e-45, must be 1e-09"),
    ],
)
def test_numbers_beyond_32_bits_are_refused_before_they_are_used(
    tiny: Bundle, tmp_path: Path, place: tuple[str | int, ...], value: object, words: str
) -> None:
    record = json.loads(tiny.contents["manifest.json"])
    table = record
    for key in place[:-1]:
        table = table[key]
    table[place[-1]] = value
    (tmp_path / "b").mkdir()
    for name, data in reseal(dict(tiny.contents), json.dumps(record).encode()).items():
        (tmp_path / "b" / name).write_bytes(data)
    opened = open_bundle(tmp_path / "b")  # the format allows any number above 0
    with pytest.raises(BundleError, match=words):
        check_details(TfliteClassifier(load_runtime(), opened.model), opened.manifest)


TRY_MUTANTS = """
import random, sys
sys.path[:0] = [{tests!r}, {root!r}]
from pathlib import Path
from tiny_models import bundle_of, sound_model
from edge.bundle.store import Bundle
from edge.errors import BundleError, EngineError
from edge.inference import golden
from edge.inference.runtime import load_runtime
from edge.inference.tflite import TfliteClassifier, check_details
from edge.preprocess import Preprocessor
from edge.processes.fork import memory_limit, run_forked, time_limit
from tools.mutants import mutate_bytes
runtime = load_runtime()
tiny = bundle_of(sound_model(), Path({out!r}))
def attempt(seed):
    model = mutate_bytes(tiny.model, random.Random(seed))
    try:
        with time_limit(5), memory_limit(1 << 30):
            classifier = TfliteClassifier(runtime, model)
            check_details(classifier, tiny.manifest)
            golden.require(tiny, classifier, Preprocessor(tiny.manifest.preprocessing, tiny.manifest.input))
    except (BundleError, EngineError) as error:
        assert str(error).isprintable() and len(str(error)) < 600, error
        return 65
    return 0
ended = [run_forked(lambda: attempt(seed)) for seed in range(200)]
print(ended)
"""


def test_no_mutant_of_a_model_raises_anything_else(tmp_path: Path) -> None:
    """Each in a fork of its own: some crash the runtime, which is what the forks are for."""
    code = TRY_MUTANTS.format(tests=str(ROOT / "tests" / "edge"), root=str(ROOT), out=str(tmp_path / "tiny"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    ended = json.loads(done.stdout)
    assert 1 not in ended
    assert ended.count(65) > 50


def test_an_empty_model_is_named() -> None:
    with pytest.raises(EngineError, match="the model is an empty file"):
        TfliteClassifier(load_runtime(), b"")


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(EngineError, match="refused the model"):
        TfliteClassifier(load_runtime(), b"TFL3" * 100)


def test_messages_of_a_runtime_do_not_run_together() -> None:
    """LiteRT's own are put one behind the other without as much as a blank between them."""
    with pytest.raises(EngineError) as caught:
        TfliteClassifier(load_runtime(), classifier(scale=math.nan))
    assert "unsupported scale value (nan)" in str(caught.value)
    assert not re.search(r"\w(unsupported|failed|Node number) ", str(caught.value))


class TestStandardError:
    def run(self, code: str, **options: object) -> subprocess.CompletedProcess[str]:
        start = "import os\nfrom edge.inference.runtime import load_runtime\nfrom edge.inference.tflite import *\n"
        words = [sys.executable, "-c", start + code]
        return subprocess.run(words, stdout=subprocess.PIPE, text=True, timeout=60, check=False, **options)  # type: ignore[call-overload]

    def test_the_runtime_s_announcement_does_not_appear(self, small_model: Path) -> None:
        load = f"model = open({str(small_model)!r}, 'rb').read()\n"
        done = self.run(
            f"{load}for n in 1, 2: TfliteClassifier(load_runtime(), model, threads=n)", stderr=subprocess.PIPE
        )
        assert (done.returncode, done.stderr) == (0, "")

    def test_all_else_that_native_code_writes_is_passed_on(self) -> None:
        code = (
            "from edge.inference import runtime\n"
            "with runtime._without_announcement():\n"
            f"    os.write(2, b'WARNING: hot\\n{ANNOUNCEMENT}\\nhalf a line')\n"
            "os.write(2, b', and its rest\\n')"
        )
        assert self.run(code, stderr=subprocess.PIPE).stderr == "WARNING: hot\nhalf a line, and its rest\n"

    def test_a_closed_standard_error_stays_closed(self) -> None:
        code = "load_runtime()\ntry: os.fstat(2)\nexcept OSError: print('closed')"
        assert self.run(code, preexec_fn=lambda: os.close(2)).stdout == "closed\n"

    def test_one_that_nobody_reads_is_no_obstacle(self) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        code = (
            "from edge.inference import runtime\nwith runtime._without_announcement(): os.write(2, b'words')\nprint(1)"
        )
        done = self.run(code, stderr=writer)
        os.close(writer)
        assert done.stdout == "1\n"
