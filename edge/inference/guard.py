"""Guard an engine: detect answers that it did not compute, and raise EngineError instead of returning them.

A failing accelerator does not always report an error. It may leave the output unchanged, repeat the last answer, or
return a constant or noise. A suspicious answer proves nothing by itself: int8 outputs of a confident network repeat
naturally. So it is tested before it is returned. A golden input shows that the engine works now, and the same input
computed again shows that it worked then.
"""

import logging
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edge.errors import EngineError
from edge.inference.base import OpenClassifier
from edge.inference.golden import GoldenInput, GoldenInputs
from edge.preprocess import Tensor

# How long a repeated answer is trusted after a golden input has cleared it, in seconds: a confident network on a still
# scene repeats its answer in nearly every frame, and a probe for each would halve the frame rate. Longer if inference
# is slow, so that the probes for one answer take at most the share CLEARED_SHARE of the time.
CLEARED_S = 2.0
CLEARED_SHARE = 0.1
# Canaries run at most once a second, and take at most 1 % of the time. If the best class changes, as it does with
# nearly every answer that is noise, the answer is tested at once instead, at most ten times a second. These tests use
# the engine's idle time, or 1 % of the time if it has none.
CANARY_S = 1.0
CANARY_SHARE = 0.01
JUMP_S = 0.1
_TEST = 2  # inferences of a test: a golden input, and the same input again
_END = 16  # bytes compared at either end of the output: an unfinished transfer leaves the tail unchanged
_MAX_CLEARED = 64
_SLOWER = 1.1  # by how much the usual time of an inference may rise with each

_log = logging.getLogger(__name__)


class _Mark:
    """The pattern at either end of an output before the engine writes it: uint8 values, and the same as bytes."""

    def __init__(self, values: NDArray[np.uint8]) -> None:
        self.size = values.size
        self.first, self.last = values[:_END], values[-_END:]
        self.head, self.tail = self.first.tobytes(), self.last.tobytes()


class GuardedClassifier:
    """A Classifier around another one, which raises EngineError instead of returning

    - an output of another dtype or size than the golden inputs', or with values that are not finite;
    - an output that the engine did not write: its ends are marked before each inference;
    - an output whose values are all equal, or that repeats the last one bit by bit although the input has changed, if
      it fails the test: a golden input fails, or the same input now gives another answer.

    With `canary`, for engines that may return noise, golden inputs run in turn between the frames. If there is time,
    an answer whose best class has changed is tested too.

    Engines must answer the same input with the same bits. Borrows the last two inputs (Classifier.load). Run the
    golden inputs of the start through the guard too: the first answer is compared with the one before. Not
    thread-safe; `close` closes the engine.
    """

    def __init__(
        self,
        classifier: OpenClassifier,
        golden: GoldenInputs,
        *,
        canary: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.probes = 0
        self._classifier = classifier
        self._golden = golden
        self._clock = clock
        self._size = golden.cases[0].expected.size
        rng = np.random.default_rng(0)
        mark = rng.integers(0, 256, self._size * golden.dtype.itemsize, np.uint8)
        self._marks = _Mark(mark), _Mark(~mark)
        self._turn = 0
        self._input: Tensor | None = None  # what was loaded last
        self._answered: Tensor | None = None  # the input of the last answer
        self._answer = b""
        self._cleared: dict[bytes, float] = {}  # repeated answers, and until when they are trusted
        self._canary = canary
        self._sung_s = clock()  # when a canary, or a test in its place, ran last
        self._jumped_s = -float("inf")  # when a changed best class was tested last
        self._best = -1  # class of the last answer that could have been tested
        self._canaries = 0
        self._usual_s = float("inf")
        self._ended_s = clock()
        self._spare_s = 0.0  # idle time of the engine since a changed best class was tested last

    @property
    def engine(self) -> str:
        """See Classifier.engine."""
        return self._classifier.engine

    def load(self, tensor: Tensor) -> None:
        """See Classifier.load."""
        self._classifier.load(tensor)
        self._input = tensor

    def invoke(self) -> NDArray[np.generic]:
        """See Classifier.invoke. The loaded input stays loaded, even if golden inputs ran in between."""
        started = self._clock()
        raw, answer = self._infer()
        ended = self._clock()
        # A busy engine has pauses between inferences too; only longer ones count as idle time.
        if (pause_s := started - self._ended_s) > self._usual_s:
            self._spare_s += pause_s
        # A single slow inference may be due to the operating system, so the usual time rises by 10 % at most.
        self._usual_s = min(ended - started, self._usual_s * _SLOWER)
        suspicion = self._suspicion(raw, answer)
        self._answered, self._answer = self._input, answer
        if suspicion is not None and ended >= self._cleared.get(answer, ended):
            self._test(raw, answer, suspicion)
            self._clear(answer, ended + max(CLEARED_S, _TEST * self._usual_s / CLEARED_SHARE))
        elif self._canary:
            self._watch(raw, answer, ended)
        self._ended_s = self._clock()
        return raw

    def close(self) -> None:
        """See Classifier.close."""
        self._classifier.close()

    def _watch(self, raw: NDArray[np.generic], answer: bytes, now: float) -> None:
        """Run a test or a canary if one is due."""
        since_s, test_s = now - self._jumped_s, _TEST * self._usual_s
        before = self._best
        if since_s >= JUMP_S and (self._spare_s >= test_s or since_s >= test_s / CANARY_SHARE):
            self._best = int(raw.argmax())
        if self._best != before:
            self._test(raw, answer, "because the best class changed")
            self._jumped_s = self._sung_s = now
            self._spare_s = 0.0
        elif now - self._sung_s >= max(CANARY_S, self._usual_s / CANARY_SHARE):
            cases = self._golden.cases
            self._probe(cases[self._canaries % len(cases)], "as a canary")
            self._canaries += 1
            self._sung_s = now

    def _infer(self) -> tuple[NDArray[np.generic], bytes]:
        """Run one inference; return its output, and that as bytes. Raises EngineError if the output is not whole."""
        # A model of two classes may answer just what the mark is, but never twice: the second mark is another.
        raw = self._marked_invoke()
        answer = raw.tobytes()
        if self._is_marked(answer):
            again = self._marked_invoke().tobytes()
            if self._is_marked(again) or again != answer:
                raise EngineError(f"{self.engine}: left its output, or a part of it, unwritten")
        if raw.dtype.kind == "f" and not np.isfinite(raw).all():
            raise EngineError(f"{self.engine}: answered values that are not finite")
        return raw, answer

    def _marked_invoke(self) -> NDArray[np.generic]:
        self._turn ^= 1
        self._classifier.mark_output(self._mark)
        raw = self._classifier.invoke()
        if raw.dtype != self._golden.dtype or raw.size != self._size:
            raise EngineError(
                f"{self.engine}: answered {raw.dtype} {raw.shape}, must be {self._size} values of {self._golden.dtype}"
            )
        return raw

    def _mark(self, memory: NDArray[np.generic]) -> None:
        flat, mark = memory.reshape(-1).view(np.uint8), self._marks[self._turn]
        if flat.size == mark.size:  # an output of another size is refused anyway
            flat[:_END], flat[-_END:] = mark.first, mark.last

    def _is_marked(self, answer: bytes) -> bool:
        mark = self._marks[self._turn]
        return answer.startswith(mark.head) or answer.endswith(mark.tail)

    def _suspicion(self, raw: NDArray[np.generic], answer: bytes) -> str | None:
        """Return what is suspicious about an answer, as the reason to run a golden input; None if nothing is."""
        size = raw.dtype.itemsize
        if answer == self._answer and self._answered is not self._input and not self._same_input():
            return "because it repeated its answer to another input"
        if answer[:size] * raw.size == answer:
            return "because it gave all classes the same score"
        return None

    def _same_input(self) -> bool:
        before, now = self._answered, self._input
        if before is None or now is None:
            return before is now
        return np.array_equal(before.reshape(-1), now.reshape(-1))

    def _clear(self, answer: bytes, until: float) -> None:
        if len(self._cleared) >= _MAX_CLEARED:
            self._cleared.clear()
        self._cleared[answer] = until

    def _test(self, raw: NDArray[np.generic], answer: bytes, why: str) -> None:
        """Check that the engine works, and that it computed this answer. Raises EngineError otherwise."""
        self._probe(self._golden.most_telling(raw), why)
        if self._infer()[1] != answer:
            raise EngineError(f"{self.engine}: gave two answers to the same input, run again {why}")
        self._answered, self._answer = self._input, answer

    def _probe(self, case: GoldenInput, why: str) -> None:
        """Run a golden input, then load the frame's input again. Raises EngineError if the answer is wrong."""
        self.probes += 1
        _log.debug("%s: golden input %s %s", self.engine, case.name, why)
        self._classifier.load(case.tensor)
        raw, answer = self._infer()
        error = case.output_error(raw)
        if error > self._golden.output_tolerance:
            raise EngineError(
                f"{self.engine}: wrong answer to a golden input, run {why}: {case.name}: outputs differ by "
                f"{error} steps, at most {self._golden.output_tolerance}"
            )
        self._answered, self._answer = case.tensor, answer
        if self._input is not None:
            self._classifier.load(self._input)
