"""Find the files by which pages and worker exchange the newest picture."""

import os
from pathlib import Path

REQUEST = "watching.json"
PICTURE, FOCUS = "live-picture", "live-focus"

_RUN = Path("/run")


def requests_of(run_dir: Path) -> Path:
    """Return the folder that the pages of a service may write to, from the service's own runtime folder.

    /run/fieldfare -> /run/fieldfare-pages, /run/fieldfare/front -> /run/fieldfare-pages/front; elsewhere a folder
    beside it. Not one inside: whoever writes there can have the board rebooted.
    """
    run_dir = Path(os.path.realpath(run_dir))  # the same one by another name; "." has none
    if run_dir.is_relative_to(_RUN) and run_dir != _RUN:
        first, *rest = run_dir.relative_to(_RUN).parts
        return _RUN.joinpath(f"{first}-pages", *rest)
    return run_dir.parent / f"{run_dir.name}-pages"
