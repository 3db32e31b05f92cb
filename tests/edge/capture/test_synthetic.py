"""The camera without hardware, and the faults of its script."""

import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle.manifest import InputTensor, Preprocessing, Quantization
from edge.capture.synthetic import SyntheticSource
from edge.errors import CameraError, EndOfStream
from edge.preprocess import Preprocessor


def camera(script: str | None = None, fps: float | None = None) -> SyntheticSource:
    return SyntheticSource(width=64, height=48, fps=fps, script=script)


class TestPictures:
    def test_the_same_number_is_the_same_picture_at_every_start(self) -> None:
        first, second = camera(), camera()
        assert all(np.array_equal(first.read().image_bgr, second.read().image_bgr) for _ in range(5))

    @pytest.mark.parametrize("size", [(32, 32), (33, 47), (640, 480)])
    def test_no_two_in_a_row_are_alike(self, size: tuple[int, int]) -> None:
        source = SyntheticSource(width=size[0], height=size[1], fps=None)
        images = [source.read().image_bgr for _ in range(100)]
        assert not any(np.array_equal(one, other) for one, other in pairwise(images))

    @given(number=st.integers(0, 10**9), region=st.sampled_from([None, (0.0, 0.8, 0.1, 0.1), (0.9, 0.0, 0.1, 0.1)]))
    def test_nor_are_they_after_cutting_and_resizing(self, number: int, region: tuple[float, ...] | None) -> None:
        """A frozen camera is detected by the model's input, which may be a corner of the frame."""
        spec = Preprocessing(channel_order="rgb", resize="crop", mean=(127.5,) * 3, std=(127.5,) * 3)
        tensor = InputTensor(width=16, height=16, dtype="int8", quantization=Quantization(scale=2 / 255, zero_point=-1))
        preprocessor = Preprocessor(spec, tensor, region=region)  # type: ignore[arg-type]
        source = SyntheticSource(width=320, height=240, fps=None)
        seen = [preprocessor.fit(source.picture(n)) for n in (number, number + 1)]
        assert not np.array_equal(*seen)

    def test_the_bar_in_the_middle_counts(self) -> None:
        """Sixteen blocks, the lowest bit on the right: 5 is black except two whites."""
        image = SyntheticSource(width=320, height=240, fps=None).picture(5)
        bits = [int(image[120 + 2, 80 + 10 * block + 5, 0]) for block in range(16)]
        assert bits == [0] * 13 + [255, 0, 255]


class TestScript:
    def test_freeze_repeats_the_last_frame_bit_for_bit(self, tmp_path: Path) -> None:
        file = tmp_path / "script"
        file.write_text("run")
        source = camera(f"@{file}")
        source.read()
        last = source.read()
        file.write_text("freeze")
        frozen = [source.read() for _ in range(3)]
        assert all(np.array_equal(frame.image_bgr, last.image_bgr) for frame in frozen)
        assert [frame.sequence for frame in frozen] == [2, 3, 4]
        file.write_text("run")
        assert not np.array_equal(source.read().image_bgr, last.image_bgr)

    def test_dark_is_black_without_noise(self) -> None:
        source = camera("dark")
        assert not source.read().image_bgr.any()
        assert not source.read().image_bgr.any()

    def test_stall_holds_the_frame_back_for_so_long(self) -> None:
        source = camera("stall 0.3; run")
        started = time.monotonic()
        source.read()
        assert time.monotonic() - started >= 0.25

    def test_a_stall_ends_when_the_file_says_so(self, tmp_path: Path) -> None:
        file = tmp_path / "script"
        file.write_text("stall")
        source = camera(f"@{file}")
        threading.Timer(0.1, file.write_text, ["run"]).start()
        source.read()

    def test_vanish_fails_in_reading_and_in_opening_until_it_ends(self, tmp_path: Path) -> None:
        file = tmp_path / "script"
        file.write_text("run")
        source = camera(f"@{file}")
        source.read()
        file.write_text("vanish")
        with pytest.raises(CameraError, match="vanished, by its script"):
            source.read()
        with pytest.raises(CameraError, match="vanished"):
            camera(f"@{file}")
        file.write_text("run")
        source.read()
        camera(f"@{file}").read()

    @pytest.mark.parametrize(("word", "number"), [("abort", signal.SIGABRT), ("segfault", signal.SIGSEGV)])
    def test_abort_and_segfault_end_the_process(self, word: str, number: signal.Signals) -> None:
        program = (
            "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
            "from edge.capture.synthetic import SyntheticSource\n"
            f"SyntheticSource(width=64, height=48, fps=None, script={word!r}).read()"
        )
        ran = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
        assert ran.returncode == -number

    def test_hang_does_not_end_even_when_closed(self) -> None:
        source = camera("hang")
        reader = threading.Thread(target=source.read, daemon=True)
        reader.start()
        source.close()
        reader.join(0.3)
        assert reader.is_alive()

    def test_closed_in_a_stall_it_ends(self) -> None:
        source = camera("stall")
        threading.Timer(0.1, source.close).start()
        with pytest.raises(EndOfStream):
            source.read()
