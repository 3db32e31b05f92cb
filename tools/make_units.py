"""Make the units in systemd/ from systemd/sources/: `python tools/make_units.py`.

A service and its template unit differ in a few names, and all units give up the same rights. Each is written once, in
a Jinja template, and the finished files are committed: whoever installs Fieldfare needs neither this program nor Jinja,
`systemd-analyze` checks them as they are, and a change shows in the diff of what is delivered. A test fails if the two
differ.
"""

from collections.abc import Iterator
from pathlib import Path

import jinja2

UNITS = Path(__file__).resolve().parents[1] / "systemd"
SOURCES = UNITS / "sources"
# Those of which there is an instance for each camera: fieldfare@.service beside fieldfare.service.
_WITH_INSTANCES = (
    "fieldfare.service",
    "fieldfare-outputs.service",
    "fieldfare-pages.service",
    "fieldfare-reboot.path",
    "fieldfare-poweroff.path",
)
_ALONE = {"instance": False, "at": "", "slash": "", "of": "", "dot": "", "settings": "fieldfare"}
_INSTANCE = {"instance": True, "at": "@%i", "slash": "/%i", "of": " %i", "dot": ".%i", "settings": "%i"}
# What a template includes, and no unit by itself.
_PARTS = ("confined.j2", "root.j2", "take.j2")


def made() -> dict[str, str]:
    """Return the text of each unit by its file name."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(SOURCES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return {
        name: f"# Made from systemd/sources/{source} by tools/make_units.py: change it there.\n"
        + environment.get_template(source).render(names)
        for source, name, names in _wanted()
    }


def _wanted() -> Iterator[tuple[str, str, dict[str, object]]]:
    """Yield each template with the file name and the words for a unit."""
    for path in sorted(SOURCES.glob("*.j2")):
        if path.name in _PARTS:
            continue
        name = path.name.removesuffix(".j2")
        yield path.name, name, dict(_ALONE)
        if name in _WITH_INSTANCES:
            stem, _, ending = name.rpartition(".")
            yield path.name, f"{stem}@.{ending}", dict(_INSTANCE)


def main() -> None:
    """Write those that differ, and print their names."""
    for name, text in made().items():
        path = UNITS / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(path.relative_to(UNITS.parent))


if __name__ == "__main__":
    main()
