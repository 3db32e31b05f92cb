"""The last warnings and errors of the service, of its outputs and of the pages themselves."""

from collections.abc import Iterator
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from edge.errors import DataError, MissingInputError
from edge.pages.rendering import page
from edge.pages.site import Site
from edge.pages.wording import texts
from edge.processes.logs import PROBLEMS, Problem, read_problems

_MOST_FILES = 20


def problems_view(site: Site, _request: Request) -> Response:
    """Answer with all of them, newest first."""
    found, faults = [], []
    for name, path in _files(site):
        try:
            found += [(name, one) for one in read_problems(path)]
        except MissingInputError:  # it had none, or is of a version that keeps none
            continue
        except DataError as error:
            faults.append(str(error))
    found += [(texts().problems.pages, one) for one in _of_pages(site)]
    found.sort(key=lambda one: one[1].wall_s, reverse=True)
    return page("problems.html", "status", site, problems=found, faults=faults, knows=site.run_dir is not None)


def _of_pages(site: Site) -> list[Problem]:
    return [] if site.problems is None else site.problems.problems()


def _files(site: Site) -> Iterator[tuple[str, Path]]:
    """Yield the files of the services and of their outputs, each with whose it is."""
    if site.run_dir is None:
        return
    home = site.run_dir.absolute()
    # The units' own folders: /run/fieldfare-outputs, or for an instance /run/fieldfare-outputs/front.
    beside = [home.with_name(f"{home.name}-outputs")]
    if home.parent.name:
        beside.append(home.parent.with_name(f"{home.parent.name}-outputs") / home.name)
    for folder, words in ((home, "{name}"), *((one, texts().problems.outputs) for one in beside)):
        for path in sorted(folder.glob(f"**/{PROBLEMS}"))[:_MOST_FILES]:
            yield words.format(name=path.parent.name), path
