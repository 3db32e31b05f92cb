"""The score log on its way to the supervisor."""

from pathlib import Path

import numpy as np
from kept import Outbox, frame, prepared

from edge.events.score_log import ScoreLog, ScoreLogWriter
from edge.processes.messages import Scored
from edge.records import Scores
from edge.results import Decision
from edge.worker.keeping import scores as module
from edge.worker.keeping.background import BackgroundThread
from edge.worker.keeping.scores import ScoreSender

DECISION = Decision("fox", 0.9, ())


def test_what_was_sent_is_the_log_of_all_frames(tmp_path: Path) -> None:
    outbox, thread = Outbox(), BackgroundThread("keep")
    sender = ScoreSender(ScoreLogWriter(("fox", "owl"), "bundle", (0.5, 0.5)), outbox.send, thread)
    for number in range(1000):
        values = np.array([number / 1000, 1 - number / 1000], np.float32)
        sender.look(prepared(frame(100 + number / 30)), Scores(values), DECISION)
    sender.close()
    assert thread.close(10)
    path = tmp_path / "scores"
    path.write_bytes(b"".join(message.piece for message in outbox.all(Scored)))
    log = ScoreLog(path)
    try:
        [life] = log.lives
        frames = list(log.frames(life))
    finally:
        log.close()
    assert len(outbox.all(Scored)) >= 3, "a piece every ten seconds"
    assert len(frames) == 1000
    assert abs(frames[500][2][0] - 0.5) < 0.001


def test_nothing_is_collected_that_cannot_be_written() -> None:
    outbox, thread = Outbox(), BackgroundThread("keep")
    sender = ScoreSender(ScoreLogWriter(("fox", "owl"), "bundle", (0.5, 0.5)), outbox.send, thread)
    thread.close(10)
    for number in range(100 * module._BATCH):
        sender.look(prepared(frame(float(number))), Scores(np.zeros(2, np.float32)), DECISION)
    assert thread.waiting <= module._MOST_WAITING + 1
    assert len(sender._frames) < module._BATCH
