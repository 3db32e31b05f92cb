"""What all views share."""

from dataclasses import dataclass
from pathlib import Path

from edge.pages.access.attempts import Attempts
from edge.pages.access.password import Password
from edge.pages.access.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Site:
    """The store that is shown, and who may see it.

    store: the file of events. run_dir: the folder in which the service keeps its status; None for a store elsewhere.
    password, sessions: None if none was set. secure: served over TLS, so that the cookie goes over nothing else.
    bundle: the one that the camera uses; None if it is not known.
    """

    store: Path
    run_dir: Path | None
    password: Password | None
    sessions: Sessions | None
    attempts: Attempts
    secure: bool = False
    bundle: Path | None = None
