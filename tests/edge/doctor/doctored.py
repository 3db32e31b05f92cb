"""Stand-ins for what the doctor looks at: child processes and systemd."""

from dataclasses import replace
from typing import Any

from edge.config.loading import settings_from
from edge.doctor.case import Case
from edge.doctor.children import Outcome
from edge.doctor.findings import Finding

FINE = {"libraries": {n: {"version": "1", "error": None} for n in
        ("numpy", "cv2", "ai_edge_litert.interpreter", "tflite_runtime.interpreter")}}  # fmt: skip


class Children:
    """Stands in for the child processes: answers by name, and keeps what was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Any]] = []
        self.limits: dict[str, float] = {}

    def __call__(self, name: str, arguments: object, timeout_s: float) -> Outcome:
        self.asked.append((name, arguments))
        self.limits[name] = timeout_s
        answer = self.answers.get(name, Outcome("refused", why="ModuleNotFoundError: No module named 'picamera2'"))
        return answer if isinstance(answer, Outcome) else Outcome("answered", answer)


class Systemctl:
    """Stands in for systemctl: lists the units that it was given with their states, and shows them."""

    RUNNING = "active running"

    def __init__(self, **units: str) -> None:
        self.units = {name.replace("_", "@"): state for name, state in units.items()}

    def __call__(self, command: list[str]) -> str:
        assert command[0] == "systemctl"
        if command[1] == "show":
            return "\n".join(self.show(name) for name in command[3:])
        assert {"--plain", "--no-legend", "--no-pager", "--full"} <= set(command)
        assert command[-2:] == ["fieldfare.service", "fieldfare@*"]
        return "".join(f"{name}.service loaded {state} Fieldfare {name}\n" for name, state in self.units.items())

    def show(self, name: str) -> str:
        loaded = "loaded" if name in self.units else "not-found"
        active, sub = self.units.get(name, "inactive dead").split()
        return f"LoadState={loaded}\nActiveState={active}\nSubState={sub}\nNRestarts=0\nUnitFileState=enabled\n"


def configured(case: Case, **sections: Any) -> Case:
    return replace(case, settings=settings_from({"bundle": "birds", **sections}), bundle="birds")


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]
