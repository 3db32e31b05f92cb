"""Form a team of one machine or several that train one model, through TensorFlow's own strategies.

The same command runs on every machine; TF_CONFIG lists them and which one this is (docs/training.md).
Each member computes its share of every batch, and gradients are added up by MultiWorkerMirroredStrategy. The first
member is the chief: what it alone decides reaches all others by `Team.share_bytes`.
"""

import json
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import ConfigError, UnavailableError
from trainer.native_output import load_tensorflow, quiet

START_S = 600  # for all members to be started; then SIGALRM ends the process
TIMEOUT_S = 600.0  # one member may be that much slower than another before it counts as lost
_SUM_LIMIT = 4_000_000  # values in one collective, 16 MB; larger arrays go in pieces


class Team:
    """All members of a training, this one among them. strategy: TensorFlow's; rank 0 is the chief."""

    def __init__(self, strategy: Any, rank: int, size: int) -> None:
        self.strategy = strategy
        self.rank = rank
        self.size = size
        self._reducers: dict[str, Any] = {}

    @property
    def is_chief(self) -> bool:
        """Only the chief writes files."""
        return self.rank == 0

    @property
    def replicas(self) -> int:
        """Devices that compute gradients, over all members."""
        return int(self.strategy.num_replicas_in_sync)

    def sum(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Add up `values`, float32, of all members; all must call it with the same shape."""
        return values if self.size == 1 else np.asarray(self._sum(values))

    def share_bytes(self, data: bytes) -> bytes:
        """Return the chief's `data`, on every member; what others pass is ignored."""
        if self.size == 1:
            return data
        # A sum in which all but the chief put zeros: so members need no common disk and no connection of their own.
        padded = data + b"\0" * (-len(data) % 4) if self.is_chief else b""
        length = int(self._sum(np.array([len(data) if self.is_chief else 0], np.int32))[0])
        if not length:
            return b""
        mine = np.frombuffer(padded, np.int32) if self.is_chief else np.zeros((length + 3) // 4, np.int32)
        return self._sum(mine).tobytes()[:length]

    def gather(self, compute: Callable[[NDArray[np.int64]], NDArray[Any]], count: int) -> NDArray[np.float32]:
        """Return rows 0..count-1, each computed by one member: compute(row numbers) -> (rows, ...) of them."""
        if self.size == 1:
            return np.asarray(compute(np.arange(count)), np.float32)
        mine = np.arange(self.rank, count, self.size)
        # A member without a row computes one all the same: only so it learns the shape that all must add up.
        rows = np.asarray(compute(mine if len(mine) else np.zeros(1, np.int64)), np.float32)
        full = np.zeros((count, *rows.shape[1:]), np.float32)
        full[mine] = rows[: len(mine)]
        return self.sum(full)

    def wait(self) -> None:
        """Wait until all members are here."""
        self.sum(np.zeros(1, np.float32))

    def check_same(self, what: str, digest: bytes) -> None:
        """Raise ConfigError, on every member, if `digest` is not the same on all."""
        chiefs = self.share_bytes(digest)
        differ = self.sum(np.array([digest != chiefs], np.float32))
        if differ[0]:
            raise ConfigError(
                f"{int(differ[0])} of {self.size} machines have other {what} than the chief: "
                "every machine needs the same photos, the same options and the same versions"
            )

    def _sum(self, values: NDArray[Any]) -> NDArray[Any]:
        flat = values.reshape(-1)
        parts = [self._sum_part(flat[i : i + _SUM_LIMIT]) for i in range(0, max(1, flat.size), _SUM_LIMIT)]
        return np.concatenate(parts).reshape(values.shape)

    def _sum_part(self, values: NDArray[Any]) -> NDArray[Any]:
        kind = values.dtype.name
        if kind not in self._reducers:
            self._reducers[kind] = self._reducer(kind)
        return np.asarray(self._reducers[kind](values))

    def _reducer(self, kind: str) -> Any:
        """Return a compiled sum for arrays (n,) of a type."""
        import tensorflow as tf

        # Compiled: calling the strategy eagerly is slow and warns.

        @tf.function(input_signature=[tf.TensorSpec([None], kind)])  # type: ignore[untyped-decorator]
        def reduce(own: Any) -> Any:
            def contribute() -> Any:
                # A member with several devices counts once.
                replica = tf.distribute.get_replica_context().replica_id_in_sync_group
                first = tf.equal(replica % (self.replicas // self.size), 0)
                return tf.where(first, own, tf.zeros_like(own))

            return self.strategy.reduce(tf.distribute.ReduceOp.SUM, self.strategy.run(contribute), axis=None)

        return reduce


def form_team(say: Callable[[str], None]) -> Team:
    """Form the team that TF_CONFIG names; without it, of this machine alone with all its GPUs. Starts TensorFlow,
    silently, and waits until all members are there. Raises ConfigError on a TF_CONFIG that is not understood; if a
    member does not come within ten minutes, the process ends by SIGALRM."""
    workers, rank = read_tf_config(os.environ.get("TF_CONFIG", ""))
    if len(workers) < 2:
        load_tensorflow()
        import tensorflow as tf

        several = len(tf.config.list_physical_devices("GPU")) > 1
        return Team(tf.distribute.MirroredStrategy() if several else tf.distribute.get_strategy(), 0, 1)
    load_tensorflow(start=False)
    import tensorflow as tf

    options = tf.distribute.experimental.CommunicationOptions(timeout_seconds=TIMEOUT_S)
    say(
        f"machine {rank + 1} of {len(workers)}: waiting for the others ({', '.join(workers)}), at most "
        f"{START_S // 60} minutes"
    )
    with lost_members(len(workers)), _bounded_wait(), quiet():
        strategy = tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    return Team(strategy, rank, len(workers))


@contextmanager
def _bounded_wait() -> Iterator[None]:
    """Run the block with the kernel's own actions: Ctrl-C ends the process, and so do ten minutes."""
    # TensorFlow waits for the other members in native code, for ever, and no Python runs meanwhile: no thread, and no
    # handler of Ctrl-C. There is nothing to tidy up yet, so the kernel's own actions serve.
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGALRM"):
        yield
        return
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGALRM)}
    signal.alarm(START_S)
    try:
        yield
    finally:
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)


def read_tf_config(text: str) -> tuple[list[str], int]:
    """Return the workers' addresses and this one's rank, from TensorFlow's TF_CONFIG; none and 0 from ''."""
    if not text.strip():
        return [], 0
    advice = 'must be like {"cluster": {"worker": ["desk:4000", "attic:4000"]}, "task": {"type": "worker", "index": 0}}'
    try:
        config = json.loads(text)
        cluster, workers = config["cluster"], config["cluster"]["worker"]
        kind, rank = config["task"]["type"], config["task"]["index"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(f"TF_CONFIG: {text[:80]!r}: {advice}") from error
    plain = isinstance(workers, list) and workers and all(map(_is_address, workers))
    plain = plain and set(cluster) == {"worker"} and kind == "worker" and type(rank) is int
    if not plain or not 0 <= rank < len(workers):
        raise ConfigError(f"TF_CONFIG: {text[:80]!r}: {advice}; workers only, and the index less than their number")
    return workers, rank


def _is_address(text: object) -> bool:
    """Return whether `text` is HOST:PORT."""
    return isinstance(text, str) and re.fullmatch(r"\S+:\d{1,5}", text) is not None


@contextmanager
def lost_members(size: int) -> Iterator[None]:
    """Turn what TensorFlow raises when another member dies into one UnavailableError. With one member nothing is
    changed."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        if size < 2:
            raise
        raise UnavailableError(
            f"another of the {size} machines no longer answers ({type(error).__name__}): start the same command again "
            "on all of them, the training goes on from its last checkpoint"
        ) from error
