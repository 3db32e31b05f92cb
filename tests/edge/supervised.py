"""A supervisor in a thread of the test, with workers that the test chooses."""

import threading
from ast import literal_eval
from functools import partial
from pathlib import Path

from edge.config.settings import Settings
from edge.processes.worker_process import StartWorker, start_worker
from edge.results import Result
from edge.supervision.supervisor import Supervisor
from edge.supervision.systemd import Place, SystemdNotifier


def starting(module: str) -> StartWorker:
    """A start of `python -m MODULE` in place of the worker."""

    return partial(start_worker, module=module)


class Memory:
    def __init__(self) -> None:
        self.results: list[Result] = []
        self.fault: str | None = None

    def write(self, result: Result) -> None:
        self.results.append(result)

    def close(self) -> None: ...


class Supervised:
    """A supervisor in a thread of ours."""

    def __init__(self, folder: Path, settings: Settings, sink: Memory, **options: object) -> None:
        self.folder, self.memory = folder, sink
        self.place = Place(folder, folder)
        options = {"service": True, **options}
        self.supervisor = Supervisor(settings, [sink], SystemdNotifier({}), self.place, **options)  # type: ignore[arg-type]
        self.ended: int | BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.ended = self.supervisor.run()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.ended = error

    def lives(self) -> list[tuple[str, str | None, float | None]]:
        """What each worker so far was told: device, fallback, frames a second."""
        places = sorted(self.folder.glob("life-*"), key=lambda path: int(path.name.partition("-")[2]))
        return [literal_eval(place.read_text()) for place in places]

    def wait(self, seconds: float = 20.0) -> int | BaseException | None:
        self._thread.join(seconds)
        return self.ended

    def close(self) -> None:
        if self._thread.is_alive():
            self.supervisor.stop()
            self._thread.join(10)
        assert not self._thread.is_alive()
