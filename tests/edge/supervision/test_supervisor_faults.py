"""The supervisor with scripted workers that fail in every way."""

import re
import threading
import time

import msgspec
import pytest
from scripted import wait_until
from scripted_workers import IMPATIENT, Supervise
from supervised import starting

from edge.config.running import Camera
from edge.config.settings import Settings
from edge.processes.child import Child
from edge.processes.messages import SupervisorChannel
from edge.supervision.status import read


class TestFaults:
    def test_a_crash_with_last_words_is_outlived_every_time(
        self, supervise: Supervise, caplog: pytest.LogCaptureFixture
    ) -> None:
        # The line hangs up and the words arrive in the same moment.
        code = "if life < 3: os.write(2, b'ERROR driver.c: assertion\\n'); os._exit(1)\nstarted(); serve()"
        service = supervise(code)
        assert wait_until(lambda: service.memory.results)
        assert service.supervisor.status.counts.crashes == 3
        assert "the worker ended with status 1 while starting (last words: ERROR driver.c: assertion)" in caplog.text

    def test_a_camera_in_trouble_is_waited_for(self, supervise: Supervise) -> None:
        code = (
            "started(); channel.send(Trouble('unplugged', 69))\n"
            "while not (HERE / 'go').exists(): time.sleep(0.02); channel.send(Pulse(FrameCounts()))\n"
            "started(); serve()"
        )
        service = supervise(code)
        status = service.supervisor.status
        assert wait_until(lambda: (status.state, status.why) == ("recovering", "unplugged"))
        (service.folder / "go").touch()
        assert wait_until(lambda: status.state == "running")
        assert (status.counts.camera_faults, status.counts.worker_starts) == (1, 1)

    @pytest.mark.parametrize(
        "code",
        [
            "channel.send(Trouble('unplugged', 69)); time.sleep(60)",
            "channel.send(Failed('camera', 'unplugged', 69))",
        ],
    )
    def test_by_hand_a_camera_that_is_not_there_ends_it(self, supervise: Supervise, code: str) -> None:
        service = supervise(code, service=False)
        assert service.wait() == 69
        assert service.supervisor.complaint == "unplugged"
        assert (service.supervisor.status.state, len(service.lives())) == ("failed", 1)

    @pytest.mark.parametrize("said", ["decided(1, age_s=60)", "pass"], ids=["too old", "nothing"])
    def test_a_worker_that_calls_itself_well_and_gives_nothing_fresh_is_replaced(
        self, supervise: Supervise, said: str
    ) -> None:
        code = (
            "started(); decided(0)\nif life: serve()\n"
            f"while True: {said}; channel.send(Pulse(FrameCounts())); time.sleep(0.05)"
        )
        service = supervise(code, IMPATIENT)
        assert wait_until(lambda: len(service.memory.results) > 3)
        assert len(service.lives()) == 2
        assert service.supervisor.status.counts.hangs == 1

    @pytest.mark.parametrize("frozen_s", [2.0, 0.0])
    def test_results_that_are_all_too_old_from_the_start_are_no_secret(
        self, supervise: Supervise, frozen_s: float
    ) -> None:
        settings = msgspec.structs.replace(
            IMPATIENT, camera=msgspec.structs.replace(IMPATIENT.camera, frozen_s=frozen_s)
        )
        code = "started()\nwhile True: decided(1, age_s=60); channel.send(Pulse(FrameCounts())); time.sleep(0.05)"
        service = supervise(code, settings)
        assert wait_until(lambda: service.supervisor.status.state == "recovering")
        # The time to the supervisor adds to the age.
        assert re.search(r"60\.\d s old when ready, at most 0\.5 s \(camera", service.supervisor.status.why)
        assert wait_until(lambda: len(service.lives()) > 2)
        assert service.memory.results == []

    def test_a_late_result_before_a_camera_fails_is_not_the_reason(self, supervise: Supervise) -> None:
        code = (
            "started(); decided(0); decided(1, age_s=60)\n"
            "while True:\n"
            "    channel.send(Trouble('unplugged', 69)); channel.send(Pulse(FrameCounts(2))); time.sleep(0.1)"
        )
        service = supervise(code, IMPATIENT)
        assert wait_until(lambda: service.supervisor.status.state == "recovering")
        time.sleep(4.5)
        assert (service.supervisor.status.why, len(service.lives())) == ("unplugged", 1)

    def test_where_a_repeated_picture_is_no_fault_silence_is_none(self, supervise: Supervise) -> None:
        settings = msgspec.structs.replace(IMPATIENT, camera=msgspec.structs.replace(IMPATIENT.camera, frozen_s=0.0))
        service = supervise(
            "started()\nwhile True: channel.send(Pulse(FrameCounts(9, 0, 9))); time.sleep(0.05)", settings
        )
        time.sleep(4.5)
        assert (len(service.lives()), service.supervisor.status.counts.hangs) == (1, 0)

    def test_by_hand_a_crash_at_the_start_is_tried_three_times(self, supervise: Supervise) -> None:
        service = supervise("os.abort()", service=False)
        assert service.wait() == 69
        assert "died of SIGABRT" in (service.supervisor.complaint or "")
        assert len(service.lives()) == 3

    def test_by_hand_too_a_camera_that_once_served_is_waited_for(self, supervise: Supervise) -> None:
        code = "started(); decided(life)\nif life: serve()\nchannel.send(Failed('camera', 'unplugged', 69))"
        service = supervise(code, service=False)
        assert wait_until(lambda: len(service.memory.results) > 3)
        assert len(service.lives()) == 2

    def test_a_service_waits_for_a_file_that_is_missing(self, supervise: Supervise) -> None:
        code = "if life > 1: started(); serve()\nchannel.send(Failed('worker', 'bundle birds: no bundle there', 66))"
        service = supervise(code)
        assert wait_until(lambda: service.memory.results)
        assert len(service.lives()) == 3

    @pytest.mark.parametrize("status", [65, 72, 78])
    def test_a_service_that_has_served_waits_for_files_that_are_being_replaced(
        self, supervise: Supervise, status: int
    ) -> None:
        """Half a bundle is a damaged one, half an update lacks libraries; and nobody is there to start it again."""
        code = (
            "if life == 0: started(); decided(0); os.abort()\nif life > 2: started(); serve()\n"
            f"channel.send(Failed('worker', 'birds is damaged', {status}))"
        )
        service = supervise(code)
        assert wait_until(lambda: len(service.memory.results) > 3)
        assert len(service.lives()) == 4

    @pytest.mark.parametrize(("status", "service"), [(65, True), (66, False), (72, True), (78, True)])
    def test_what_no_repetition_mends_ends_even_a_service(
        self, supervise: Supervise, status: int, service: bool
    ) -> None:
        running = supervise(f"channel.send(Failed('worker', 'birds is damaged', {status}))", service=service)
        assert running.wait() == status
        assert running.supervisor.complaint == "birds is damaged"
        ended = read(running.folder / "status.json")
        assert (ended.state, ended.why) == ("failed", "birds is damaged")

    def test_a_replay_is_not_begun_again_after_a_crash(self, supervise: Supervise) -> None:
        settings = Settings(bundle="none", camera=Camera(source="pictures"))
        service = supervise("started(); decided(0); os.abort()", settings)
        assert service.wait() == 69
        assert len(service.lives()) == 1

    def test_an_error_of_our_own_is_logged_with_its_trace_and_tried_again(
        self, supervise: Supervise, caplog: pytest.LogCaptureFixture
    ) -> None:
        code = "if life: started(); serve()\nchannel.send(Failed('worker', 'KeyError: 7', 1, 'Traceback: line 7'))"
        service = supervise(code)
        assert wait_until(lambda: service.memory.results)
        assert "Traceback: line 7" in caplog.text

    def test_where_no_process_can_be_started_it_tries_again(self, supervise: Supervise) -> None:
        refused = threading.Event()

        def refuse_once(parent: int) -> tuple[SupervisorChannel, Child]:
            if not refused.is_set():
                refused.set()
                raise OSError(12, "Cannot allocate memory")
            return starting("a_worker")(parent)

        service = supervise("started(); serve()", start=refuse_once)
        assert wait_until(lambda: "Cannot allocate memory" in service.supervisor.status.why)
        assert wait_until(lambda: service.memory.results)


def test_by_hand_it_gives_up_where_no_process_can_be_started(supervise: Supervise) -> None:
    def refuse(_: int) -> tuple[SupervisorChannel, Child]:
        raise OSError(12, "Cannot allocate memory")

    service = supervise("serve()", service=False, start=refuse)
    assert service.wait() == 69
    assert "no worker could be started" in (service.supervisor.complaint or "")
