"""Install a version, beside the one that is there, and switch to it."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from edge.errors import ConfigError, DataError
from edge.installing.build import build, check_space, discard
from edge.installing.layout import SERVICE
from edge.installing.origins.kit import SETTINGS, Kit
from edge.installing.origins.kit_folder import Origin
from edge.installing.outside import (
    ETC,
    Outside,
    differs,
    keep_aside,
    lead_to_current,
    linked,
    outside_of,
    settings_are_kept,
    settle,
)
from edge.installing.present import LINKS, SETTLED, Present, check_places, find, kit_of
from edge.installing.steps import Job, Step, reload_step, removal
from edge.installing.system import packages, services
from edge.installing.system.files import NEW, content, link, partials_in, partials_of, put
from edge.installing.system.machine import check_fits
from edge.installing.system.waiting import Answer, invocation, wait_for_result

JUDGE_S = 120.0


@dataclass
class Installation:
    """One version on its way to be the current one. Reads only, until its steps are carried out."""

    job: Job
    origin: Origin
    present: Present = field(init=False)
    current: Kit | None = field(init=False)
    all_outside: list[Outside] = field(init=False)
    runs: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Look at what is there. Raises DataError if the version does not fit, OutputExistsError, StorageError."""
        layout = self.job.layout
        check_fits(self.job.machine, self.origin.kit)
        self.present = find(layout)
        check_places(layout, self.job.owner)
        self.current = kit_of(layout, self.present.current) if self.present.current else None
        self.all_outside = outside_of(layout, self.origin.kit)
        known = {one.target for one in self.all_outside}
        if self.current is not None:  # a unit that the new version no longer has
            self.all_outside += [one for one in outside_of(layout, self.current) if one.target not in known]

    @property
    def name(self) -> str:
        """The name of the version."""
        return self.origin.kit.name

    @property
    def is_fresh(self) -> bool:
        """Return True if no version was ever started here."""
        return not self.present.settled

    @property
    def keeps_settings(self) -> bool:
        """Return True if the settings on the device stay."""
        return settings_are_kept(self.job.layout, self.current)

    def steps(self) -> list[Step]:
        """Return what is to be done; nothing if this version is installed, whole and was started."""
        layout, present = self.job.layout, self.present
        left = list(linked(layout, self.all_outside))
        steps = [removal(path, ", left by an installation that was cut short") for path in self._leftovers()]
        if left:
            steps.append(Step("finish what an installation that was cut short has begun", lambda: self._mend(left)))
        missing = [one for one in self._own() if one.kind != "settings" and not os.path.lexists(one.target)]
        if self.present.current == self.name and self.name in present.settled and not missing and self._has_links():
            return steps
        return [*steps, *self._new_version(), *self._switching(), *self._starting()]

    def _leftovers(self) -> list[Path]:
        layout, present = self.job.layout, self.present
        inside = [layout.home, *(layout.version(name) for name in present.complete)]
        inside += [layout.version(name) / ETC for name in present.complete]
        partials = [path for one in self.all_outside for path in partials_of(one.target)]
        return [*present.leftovers, *partials, *(path for folder in inside for path in partials_in(folder))]

    def _own(self) -> list[Outside]:
        return outside_of(self.job.layout, self.origin.kit)

    def _has_links(self) -> bool:
        return all(os.path.lexists(self.job.layout.home / name) for name in LINKS)

    def _mend(self, left: list[Outside]) -> None:
        layout = self.job.layout
        for one in left:
            settle(one, layout.version(self.present.current or ""))

    def _new_version(self) -> list[Step]:
        layout, origin = self.job.layout, self.origin
        folder = layout.version(self.name)
        steps: list[Step] = []
        if self.name not in self.present.complete:
            steps += self._room()
            steps.append(Step(f"make {folder} from {origin.describe()}", self._build))
        return [
            *steps,
            Step("check that it can read the settings, the bundle and the events of this device", self._judge),
        ]

    def _room(self) -> list[Step]:
        """Return steps that make room, if there is too little. Raises StorageError if that is not enough."""
        layout = self.job.layout
        try:
            check_space(layout, self.origin)
        except OSError:
            old = [layout.version(name) for name in self.present.complete if name != self.present.current]
            check_space(layout, self.origin, sum(map(_size, [*old, *self.present.leftovers])))
            return [_discarding(folder) for folder in old]
        return []

    def _build(self) -> None:
        try:
            build(self.job.layout, self.origin, self.job.programs)
        except Exception:
            discard(self.job.layout.version(self.name))
            raise

    def _judge(self) -> None:
        """Let the new version itself read what it will find. Raises ConfigError or DataError, and changes nothing."""
        layout, programs = self.job.layout, self.job.programs
        command = [str(layout.venv(self.name) / "bin/fieldfare"), "device", "check"]
        bundle = next(one for one in self._own() if one.kind == "bundle")
        arriving = ["--instead", str(bundle.target), str(bundle.in_version(layout, self.name))]
        for file in self._settings_files():
            outcome = programs.run([*command, str(file), *arriving], JUDGE_S)
            if outcome.status:
                kind = ConfigError if outcome.status == ConfigError.exit_status else DataError
                if self.name not in self.present.complete:
                    discard(layout.version(self.name))
                raise kind(
                    f"version {self.name} cannot work with what is on this device, and was not installed: "
                    f"{outcome.complaint}"
                )

    def _settings_files(self) -> list[Path]:
        """Return the settings that the version will find, of all cameras that start at boot."""
        layout = self.job.layout
        ordinary = layout.settings / SETTINGS
        found = {services.settings_of(layout, unit) for unit in services.cameras(services.enabled(layout))}
        found = {file for file in found if file.exists()} | {ordinary}
        if not self.keeps_settings:
            found = (found - {ordinary}) | {layout.version(self.name) / ETC / SETTINGS}
        return sorted(found)

    def _switching(self) -> list[Step]:
        layout, programs = self.job.layout, self.job.programs
        steps = []
        if debs := packages.to_install(programs, self.origin.debs()):
            names = ", ".join(name for name, _ in debs)
            steps.append(Step(f"install the packages {names}", lambda: packages.install(layout, programs, debs)))
        if record := next((one for one in self._own() if one.target.parent == layout.users), None):
            steps.append(
                Step(
                    "make the user fieldfare if there is none",
                    lambda: services.make_user(programs, record.in_version(layout, self.name)),
                )
            )
        changing = self._changing()
        was = self.present.current
        words = (
            f"switch from {was} to {self.name}" if was and was != self.name else f"make {self.name} the current version"
        )
        shown = "".join(f"\n  {one.target}" for one in changing)
        return [*steps, Step(f"{words}, and with it:{shown}" if changing else words, lambda: self._switch(changing))]

    def _changing(self) -> list[Outside]:
        """Return the files outside that will be other ones."""
        mine = {one.target for one in self._own()}
        changing = []
        for one in self.all_outside:
            if one.kind == "settings" and self.keeps_settings:
                continue
            if one.target not in mine or content(one.target) != self._wanted(one):
                changing.append(one)
        return changing

    def _wanted(self, one: Outside) -> bytes | None:
        kept = content(one.in_version(self.job.layout, self.name))
        return self.origin.read(one.source) if kept is None and self.name not in self.present.complete else kept

    def _switch(self, changing: list[Outside]) -> None:
        layout, current = self.job.layout, self.present.current
        self._keep_what_people_made(changing)
        for one in changing:
            if current is not None and current != self.name:
                lead_to_current(layout, one, current)
        link(layout.current, f"{layout.versions.name}/{self.name}")
        for name, target in LINKS.items():
            if not (layout.home / name).is_symlink():
                link(layout.home / name, target)
        for one in changing:
            settle(one, layout.version(self.name))

    def _keep_what_people_made(self, changing: list[Outside]) -> None:
        for one in changing:
            data = content(one.target)
            if one.kind == "bundle" and data is not None:
                self.job.say(f"  the bundle that was there is kept as {keep_aside(one)}")
            elif one.kind == "unit" and data is not None and self._was_changed(one, data):
                self.job.say(f"  {one.target} was changed by hand: that one is kept as {keep_aside(one)}")
        self._put_new_settings_beside()

    def _was_changed(self, one: Outside, data: bytes) -> bool:
        return self.current is None or one.source not in self.current.files or differs(one, data, self.current)

    def _put_new_settings_beside(self) -> None:
        settings = next(one for one in self.all_outside if one.kind == "settings")
        wanted = self._wanted(settings)
        if self.keeps_settings and wanted is not None and content(settings.target) != wanted:
            new = settings.target.with_name(f"{settings.target.name}{NEW}")
            put(new, wanted)
            self.job.say(f"  {settings.target} was changed on this device and stays; the new one is beside it: {new}")

    def _starting(self) -> list[Step]:
        programs = self.job.programs
        steps = [reload_step(self.job)]
        if self.is_fresh:
            unit = f"{SERVICE}.service"
            steps.append(Step(f"have {unit} start at each boot", lambda: services.enable(programs, unit)))
        steps.append(Step("start the service", self._restart))
        return [*steps, Step("remove what is older than the version before this one", self._settle)]

    def _restart(self) -> None:
        units = services.enabled(self.job.layout)
        self.runs = {unit: invocation(self.job.programs, unit) for unit in services.cameras(units)}
        services.restart(self.job.programs, units)

    def _settle(self) -> None:
        layout = self.job.layout
        put(layout.version(self.name) / SETTLED, b"")
        kept = {self.name, self.present.current if self.present.current != self.name else self.present.previous}
        for name in self.present.complete:
            if name not in kept:
                discard(layout.version(name))

    def answers(self) -> list[Answer]:
        """Wait for the first result of each camera that starts at boot."""
        job = self.job
        return [
            wait_for_result(job.layout, job.programs, unit, job.clock, not_of=self.runs.get(unit, ""))
            for unit in services.cameras(services.enabled(job.layout))
        ]


def _discarding(folder: Path) -> Step:
    return Step(f"remove {folder}, an older version, to make room", lambda: discard(folder))


def _size(folder: Path) -> int:
    return sum((Path(place) / name).lstat().st_blocks * 512 for place, _, names in os.walk(folder) for name in names)
