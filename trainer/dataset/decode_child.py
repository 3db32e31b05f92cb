"""Decode photos in a child process: a decoder that crashes, hangs or takes all memory ends only this one.

Run by trainer.dataset.decoding as `python -m trainer.dataset.decode_child SETUP`. Jobs come on standard input, answers
go to standard output, both as JSON lines. Decoded rows go straight into the parent's file of rows.
"""

import contextlib
import os
import sys
from pathlib import Path

import cv2
import msgspec
import numpy as np
from msgspec.structs import replace

from edge.bundle.manifest import InputTensor, Preprocessing
from edge.errors import ImageError, MissingInputError, StorageError
from edge.images import read_image, readable_name
from edge.preprocess import Preprocessor
from edge.processes.child import limit_memory
from edge.processes.fork import time_limit
from edge.records import Pixels
from trainer.dataset.duplicates import fingerprint
from trainer.dataset.inspection import PhotoRecord, inspect
from trainer.dataset.row_file import attach
from trainer.dataset.rows import Rows


class Setup(msgspec.Struct, frozen=True):
    """How to decode, and the limits.

    spec: the preprocessing; what describes a photo is taken before its preparation
    tensor: the model's input
    rows: the address of the file of rows
    count: how many rows it has
    memory_bytes: address space of the process
    limit_s: seconds a photo
    """

    spec: Preprocessing
    tensor: InputTensor
    rows: str
    count: int
    memory_bytes: int
    limit_s: float


class Job(msgspec.Struct, frozen=True):
    """A photo: the row to write, and its path. Bytes, because names need not be UTF-8."""

    index: int
    path: bytes


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The result of a job.

    index: the job's, or -1: the process is ready for jobs
    record: the photo's properties
    hash: its fingerprint
    grey: its small grey copy, to compare with those of similar fingerprints
    problem: why it cannot be read
    storage: why its row could not be stored
    """

    index: int
    record: PhotoRecord | None = None
    hash: bytes = b""
    grey: bytes = b""
    problem: str | None = None
    storage: str | None = None


def work(setup: Setup) -> None:
    """Answer jobs until there are no more."""
    _limit(setup.memory_bytes)
    preprocessor = Preprocessor(setup.spec, setup.tensor)
    # Letterbox bars are no part of the picture, and equalized photos are alike that were not: duplicates and brightness
    # are judged without either.
    resize = "squash" if setup.spec.resize == "letterbox" else setup.spec.resize
    bare = replace(setup.spec, resize=resize, preparation=())
    whole = preprocessor if bare == setup.spec else Preprocessor(bare, setup.tensor)
    rows = Rows(attach(setup.rows), setup.count, (setup.tensor.height, setup.tensor.width, 3), np.uint8)
    decoder, encoder = msgspec.json.Decoder(Job), msgspec.json.Encoder()
    _write(encoder.encode(Answer(-1)))
    for line in sys.stdin.buffer:
        # The parent ends us after limit_s; this is for a parent that is gone.
        with time_limit(2 * setup.limit_s):
            answer = _answer(decoder.decode(line), preprocessor, whole, rows)
        _write(encoder.encode(answer))


def _answer(job: Job, preprocessor: Preprocessor, whole: Preprocessor, rows: Rows) -> Answer:
    path = Path(os.fsdecode(job.path))
    name = readable_name(path)
    try:
        frame_bgr = read_image(path)
        pixels = preprocessor.pixels(frame_bgr)
        view = pixels if whole is preprocessor else whole.pixels(frame_bgr)
        del frame_bgr
        answer = _describe(job.index, path, view)
        rows.write(job.index, pixels)
    except (ImageError, MissingInputError) as error:
        return Answer(job.index, problem=str(error))
    except StorageError as error:
        return Answer(job.index, storage=str(error))
    except (MemoryError, cv2.error):
        return Answer(job.index, problem=f"{name}: needs too much memory to decode: make it smaller")
    except Exception as error:  # noqa: BLE001 - whatever a decoder does is an answer about this one photo
        return Answer(job.index, problem=f"{name}: damaged ({type(error).__name__}: {error}): remove or copy it again")
    return answer


def _describe(index: int, path: Path, view: Pixels) -> Answer:
    bits, grey = fingerprint(view)
    return Answer(index, inspect(path, view), bits.tobytes(), grey.tobytes())


def _limit(memory_bytes: int) -> None:
    limit_memory(memory_bytes)
    cv2.setNumThreads(1)  # one child a core; and thread stacks count as address space
    with contextlib.suppress(OSError):  # when memory runs out, this must end before the training does
        Path("/proc/self/oom_score_adj").write_text("500")


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    work(msgspec.json.decode(sys.argv[1].encode(), type=Setup))
