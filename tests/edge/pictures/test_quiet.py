"""Decoders print nothing, and no line of ours is lost."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

# A JPEG without 60 bytes of its middle makes libjpeg print "Corrupt JPEG data"; other threads print all the while.
_CODE = """
import ctypes, sys, threading
import cv2
import numpy as np
from edge.capture.jpeg import decode_jpeg
from edge.pictures.quiet import decoders_quiet

grain = np.random.default_rng(0).integers(0, 256, (120, 160, 3)).astype(np.uint8)
whole = cv2.imencode(".jpg", grain)[1].tobytes()
torn = np.frombuffer(whole[:9000] + whole[9060:], np.uint8)

def decode() -> None:
    for _ in range(50):
        decode_jpeg(torn)

threads = [threading.Thread(target=decode) for _ in range(2)]
for thread in threads:
    thread.start()
for number in range(200):
    print(f"line {number}", file=sys.stderr)
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
with decoders_quiet():
    libc.perror(b"inside")
libc.perror(b"outside")
if "imdecode" in sys.argv:
    cv2.imdecode(torn, cv2.IMREAD_COLOR)
"""


def printed(*words: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", _CODE, *words], capture_output=True, text=True, check=True)
    return done.stderr.splitlines()


def test_a_torn_jpeg_prints_nothing_and_our_own_lines_all_appear() -> None:
    lines = printed()
    assert lines[:-1] == [f"line {number}" for number in range(200)]
    assert lines[-1].startswith("outside")


def test_the_library_would_have_printed() -> None:
    assert printed("imdecode")[-1].startswith("Corrupt JPEG data")
