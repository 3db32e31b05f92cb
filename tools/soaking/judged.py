"""The verdict on a soak: what was injected and survived, lost, and how memory grew."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tools.reliability.clock_jumps import is_right
from tools.reliability.judging import Judge, Verdict, identity_of, read_notes, stored_events
from tools.reliability.report import print_table
from tools.soaking.day import EVENTS_A_DAY, HOURS, Log
from tools.soaking.memory import FIGURES, longest_lived, slope
from tools.soaking.scene import PARTS, Scene

MOST_MIB_A_DAY = 2.0
# As in tools/bench_faults.py.
STALE_S = 3.0
# The first hours fill caches, and do not count. Of less than a day the slope is printed, and not judged: a worker that
# was just started is some MiB smaller.
_WARM_UP_HOURS, _LEAST_HOURS, _LEAST_LIFE_HOURS = 6, HOURS, 6
# An event that ended so long before a fault of the disk may still have waited for it.
_WAITED_S = 5.0


@dataclass
class Found:
    """What the end of a soak shows.

    lost: events that were heard of and are not in the store. stale: results that were too old when published.
    """

    verdict: Verdict
    heard: int
    lost: int
    without_picture: int
    without_picture_by_fault: int
    wrong_time: int
    not_sent: int
    sent: int
    longest_gap_s: float
    stale: int


def find(scene: Scene, log: Log, span: tuple[float, float]) -> Found:
    """Compare what was heard of with what the store and the outputs have. The service has ended."""
    verdict = Judge(scene.store, scene.service.notes).verdict(thorough=True)
    heard = read_notes(scene.service.notes, "heard")
    stored = {identity_of(event): event for event in stored_events(scene.store)}
    excused = unexcused = 0
    for identity, note in heard.items():
        if identity in stored and len(stored[identity].pictures) < note["pictures"]:
            may = may_lack_picture(log, note)
            excused, unexcused = excused + may, unexcused + (not may)
    lines = scene.lines.read_text().splitlines() if scene.lines.exists() else []
    sent = Counter(json.loads(line)["event_id"] for line in lines)
    # Pictures that are there must be right; those that are not are counted above.
    verdict.bad_pictures = [bad for bad in verdict.bad_pictures if not bad.startswith("none of ")]
    return Found(
        verdict,
        heard=len(heard),
        lost=len(heard.keys() - stored.keys()),
        without_picture=unexcused,
        without_picture_by_fault=excused,
        wrong_time=sum(not is_right(event.begin_wall_s, event.event.begin_mono_s) for event in stored.values()),
        not_sent=sum(event.event.name not in sent for event in stored.values()),
        sent=len(lines),
        longest_gap_s=scene.longest_gap(*span),
        stale=sum(arrived - captured > STALE_S for arrived, captured in scene.arrivals()),
    )


def may_lack_picture(log: Log, note: Mapping[str, Any]) -> bool:
    """Return whether the event came while the disk took no pictures."""
    return any(
        one.begin_s - _WAITED_S < note["at_mono_s"] < one.end_s for one in log.strikes if one.fault.costs_pictures
    )


def slopes(log: Log) -> dict[str, float]:
    """Return by how much each figure grows a simulated day, over the samples with all processes after the warm-up."""
    warm = [sample for sample in log.samples[_WARM_UP_HOURS:] if len(sample.each) == 1 + len(PARTS)]
    return {name: slope(warm, name) for name in FIGURES} if len(warm) > 2 else {}


def own_growth(log: Log) -> dict[str, float]:
    """Return by how many MiB a simulated day the longest-lived process of each part grows, after its own warm-up.

    A process that is started again begins small: that would hide a leak from `slopes`. A part without a process that
    lived for half a day is left out.
    """
    lives = {name: longest_lived(log.samples, name)[_WARM_UP_HOURS:] for name in ("supervisor", *PARTS)}
    return {
        name: float(np.polyfit(*zip(*life, strict=True), 1)[0])
        for name, life in lives.items()
        if len(life) >= _LEAST_LIFE_HOURS
    }


def print_faults(log: Log) -> None:
    """Print a line for each kind of fault that happened."""
    rows = []
    for name in dict.fromkeys(one.fault.name for one in log.strikes):
        strikes = [one for one in log.strikes if one.fault.name == name]
        known = [one.back_s for one in strikes if one.back_s is not None]
        survived = sum(not one.broken for one in strikes)
        fault, gap_s = strikes[0].fault, max(one.gap_s for one in strikes)
        rows.append((name, len(strikes), survived, max(known, default=None), fault.bound_s, gap_s, fault.gap_s))
    print_table(("fault", "injected", "survived", "back s, worst", "bound s", "gap s, longest", "bound s"), rows)


def promises(log: Log, found: Found) -> dict[str, int]:
    """Return how often each promise was broken."""
    days, verdict = log.hours / HOURS, found.verdict
    broken = {
        f"{len(log.strikes)} faults: over a bound": sum(one.broken for one in log.strikes),
        f"{found.heard} events: lost": found.lost,
        f"{verdict.acknowledged} acknowledged events: missing, or shorter": len(verdict.missing) + len(verdict.shorter),
        f"{verdict.stored} events in the store: twice": len(verdict.twice),
        "with a wrong time": found.wrong_time,
        "without a picture, and no fault of the disk": found.without_picture,
        f"{verdict.pictures} pictures: missing or not as stored": len(verdict.bad_pictures),
        f"{found.sent} lines sent: events not among them": found.not_sent,
        f"results older than {STALE_S:g} s when published": found.stale,
        "databases not whole": int(verdict.whole != "ok"),
        "status reads, exports, starts and nights that went wrong": len(log.wrong),
        f"fewer than {EVENTS_A_DAY} events a day": int(found.heard < EVENTS_A_DAY * days),
    }
    grown = slopes(log).get("rss_mib")
    if log.hours >= _LEAST_HOURS:
        text = f"resident memory over {MOST_MIB_A_DAY:g} MiB a day"
        broken[text] = int(grown is None or grown > MOST_MIB_A_DAY)
        broken["the same, of the longest-lived supervisor"] = int(
            own_growth(log).get("supervisor", 0.0) > MOST_MIB_A_DAY
        )
    return broken


def as_json(log: Log, found: Found, broken: Mapping[str, int], minutes: float) -> str:
    """Return all of it for programs."""
    strikes = [
        {"name": one.fault.name, "back_s": one.back_s, "bound_s": one.fault.bound_s, "gap_s": one.gap_s}
        for one in log.strikes
    ]
    figures = {name: value for name, value in vars(found).items() if name != "verdict"}
    return json.dumps(
        {
            "minutes": minutes,
            "days": log.hours / HOURS,
            "faults": strikes,
            **figures,
            "bytes_written": log.samples[-1].done,
            "done": log.done,
            "wrong": log.wrong,
            "grows_a_day": slopes(log),
            "longest_lived_grow_mib_a_day": own_growth(log),
            "samples": [vars(sample) for sample in log.samples],
            "broken": dict(broken),
        }
    )
