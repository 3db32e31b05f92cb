"""Report what is installed and how the service is."""

from edge.installing.present import find, kit_of
from edge.installing.steps import Job
from edge.installing.system import packages, services
from edge.installing.system.waiting import wait_for_result


def report(job: Job) -> int:
    """Report it in a few lines. Return 0 if results come, 69 if not, 66 if nothing is installed."""
    layout = job.layout
    present = find(layout)
    if present.current is None:
        job.say(f"Fieldfare is not installed in {layout.home}")
        return 66
    kit = kit_of(layout, present.current)
    job.say(f"version {present.current}, from {kit.target}{'' if not kit.bundle else f', with bundle {kit.bundle}'}")
    if present.current not in present.settled:
        job.say("its installation was cut short: install it again")
    if present.previous:
        job.say(
            f"before it {present.previous}: sudo {layout.home}/bin/fieldfare device install --previous goes back to it"
        )
    if lacking := packages.missing(job.programs, kit.needs):
        job.say(f"missing packages of the system: {' '.join(lacking)}")
    units = services.cameras(services.enabled(layout))
    if not units:
        job.say("no service starts at boot: sudo systemctl enable --now fieldfare")
    answers = [wait_for_result(layout, job.programs, unit, job.clock, limit_s=0.0) for unit in units]
    for answer in answers:
        job.say(f"{answer.unit}: {answer.text}")
    return 0 if answers and all(answer.serving for answer in answers) else 69
