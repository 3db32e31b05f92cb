"""Do what is above a new worker: reset the camera on USB, request a reboot."""

import logging

from edge.config.settings import Settings
from edge.processes.side_jobs import SideJobs
from edge.processes.usb import camera_node, start_reset
from edge.source_kind import source_kind
from edge.supervision.reboot import RebootHook
from edge.supervision.recovery import Reboots, UsbResets
from edge.supervision.status import Counts

_log = logging.getLogger(__name__)


class Escalation:
    """The upper rungs of the ladder in docs/recovery.md. Used by one thread."""

    def __init__(self, settings: Settings, hook: RebootHook | None, jobs: SideJobs, counts: Counts) -> None:
        """hook: None if no reboot can be requested."""
        self._source, self._hook, self._jobs, self._counts = settings.camera.source, hook, jobs, counts
        self._resets = UsbResets(settings.recovery.usb_reset)
        self._reboots = Reboots(settings.recovery)
        if settings.recovery.reboot_after_min is not None and hook is None:
            _log.warning("recovery.reboot_after_min: no reboot can be requested: systemd did not start this")

    def look(self, silent_s: float, now: float, why: str) -> None:
        """Do what is due after `silent_s` without a sign of life. why: the reason for that."""
        # The order is that of the cost: a reset takes a camera away for a second, a reboot everything for a minute.
        if source_kind(self._source) == "v4l2" and self._resets.due(silent_s, now):
            node = camera_node(self._source)
            if node is not None:
                start_reset(self._jobs, "the camera", node)
        if self._reboots.due(silent_s, now) and self._hook is not None and self._hook.request(why):
            self._counts.reboots_asked += 1
