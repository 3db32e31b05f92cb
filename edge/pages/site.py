"""What all views share."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

from edge.config.loading import load_settings
from edge.config.settings import Settings
from edge.pages.access.attempts import Attempts
from edge.pages.access.password import Password
from edge.pages.access.sessions import Sessions
from edge.pages.errands.errands import Errands
from edge.pages.live.watching import Watching
from edge.pages.tls.certificate import Certificate
from edge.processes.logs import ProblemLog


@dataclass(frozen=True, slots=True)
class Site:
    """The store that is shown, and who may see it.

    store: the file of events. run_dir: the folder in which the service keeps its status; None for a store elsewhere.
    password, sessions: None if none was set. certificate: None: without TLS; with it, cookies go over nothing else.
    settings: the file that names the store; None if the store was given itself. problems: of the pages themselves.
    errands: what is done beside the pages.
    watching: leaves word for the service that somebody looks; None without a `run_dir`.
    marking: held from the look at an event's mark to the next mark on the disk, so that of two people one is asked.
    """

    store: Path
    run_dir: Path | None
    password: Password | None
    sessions: Sessions | None
    attempts: Attempts
    certificate: Certificate | None = None
    settings: Path | None = None
    watching: Watching | None = None
    problems: ProblemLog | None = None
    errands: Errands = field(default_factory=Errands)
    marking: threading.Lock = field(default_factory=threading.Lock)

    @property
    def secure(self) -> bool:
        """Whether the pages are served over TLS."""
        return self.certificate is not None

    def load_settings(self) -> Settings | None:
        """Return the settings as they are in their file now; None if the pages know of none.

        Raises MissingInputError, ConfigError.
        """
        return None if self.settings is None else load_settings(self.settings)

    def bundle(self) -> Path | None:
        """Return the bundle that the camera uses; None if the pages know of none. Raises as `load_settings`."""
        settings = self.load_settings()
        return None if settings is None else Path(settings.bundle)
