"""Check the libraries: which are installed, which can be imported, and which are known not to work together."""

import re
from collections.abc import Mapping
from importlib import metadata

from edge.doctor.case import Case
from edge.doctor.children import Outcome
from edge.doctor.findings import Finding, Kind
from edge.errors import INSTALL_DEVICE

# Distribution -> module.
_PACKAGES = {
    "numpy": "numpy",
    "opencv-python-headless": "cv2",
    "opencv-python": "cv2",
    "opencv-contrib-python": "cv2",
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
    "pillow": "PIL",
    "pycoral": "pycoral",
    "kms": "kms",
}
_OPENCV = ("opencv-python-headless", "opencv-python", "opencv-contrib-python")
REBUILT = "take a libedgetpu rebuilt for recent TensorFlow (docs/raspberry-pi.md, Coral)"


def installed(packages: Mapping[str, str] = _PACKAGES) -> dict[str, str]:
    """Return the versions of the installed distributions, without importing them."""
    found = {}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def libraries(case: Case) -> list[Finding]:
    """Import NumPy, OpenCV and a TFLite runtime, in one child."""
    modules = ["numpy", "cv2", "ai_edge_litert.interpreter", "tflite_runtime.interpreter"]
    outcome = case.probe("libraries", [modules], case.child_s)
    return judge_libraries(outcome, installed())


def judge_libraries(outcome: Outcome, versions: Mapping[str, str]) -> list[Finding]:
    """Judge each library; one of the two runtimes is enough."""
    if outcome.ending != "answered":
        return [Finding("libraries", "libraries", "problem", outcome.why, f"install them again: {INSTALL_DEVICE}")]
    tried: dict[str, dict[str, str | None]] = outcome.answer
    opencv = next((name for name in _OPENCV if name in versions), "opencv-python-headless")
    findings = [
        _library("numpy", "NumPy", "numpy", tried["numpy"], versions),
        _library("opencv", "OpenCV", opencv, tried["cv2"], versions),
    ]
    litert = _library("litert", "LiteRT", "ai-edge-litert", tried["ai_edge_litert.interpreter"], versions)
    older = _library("tflite", "tflite-runtime", "tflite-runtime", tried["tflite_runtime.interpreter"], versions)
    if litert.kind == "ok":
        return [*findings, litert]
    if older.kind == "ok":
        spare = Finding(
            "litert",
            "LiteRT",
            "warning",
            litert.seen,
            "tflite-runtime is used instead; LiteRT is faster: " + INSTALL_DEVICE,
        )
        return [*findings, spare, older]
    return [*findings, litert, older] if "tflite-runtime" in versions else [*findings, litert]


def _library(
    id_: str, title: str, package: str, tried: Mapping[str, str | None], versions: Mapping[str, str]
) -> Finding:
    error, version = tried["error"], versions.get(package) or tried["version"] or "of unknown version"
    if error is None:
        return Finding(id_, title, "ok", f"{package} {version}")
    if package not in versions and "No module named" in error:
        return Finding(id_, title, "problem", "not installed", INSTALL_DEVICE)
    mend = f"install it again: {INSTALL_DEVICE}"
    if id_ == "opencv" and re.search(r"lib(GL|gthread|SM|Xext|EGL)", error):
        mend = f"pip uninstall {package}, then pip install opencv-python-headless: it needs no screen"
    elif id_ == "tflite" or "numpy" in error.lower():
        mend = "built for NumPy 1: pip install 'numpy<2'"
    return Finding(id_, title, "problem", f"{package} {version}: {error}", mend)


def pairs(case: Case) -> list[Finding]:
    """Check the versions for combinations that are known not to work."""
    return judge_pairs(installed(), edgetpu_packages(case))


def edgetpu_packages(case: Case) -> dict[str, str]:
    """Return the distribution's packages of libedgetpu: {package: version}."""
    printed = case.call(["dpkg-query", "--show", "--showformat", r"${Package} ${Version}\n", "libedgetpu1*"])
    pairs_ = (line.split() for line in (printed or "").splitlines())
    return {words[0]: words[1] for words in pairs_ if len(words) == 2}


def judge_pairs(versions: Mapping[str, str], edgetpu: Mapping[str, str]) -> list[Finding]:
    """Judge the versions: a finding for each bad pair, or one "ok"."""
    findings = []

    def add(id_: str, kind: Kind, seen: str, mend: str) -> None:
        findings.append(Finding(id_, "known trouble", kind, seen, mend))

    numpy, runtime, litert = versions.get("numpy"), versions.get("tflite-runtime"), versions.get("ai-edge-litert")
    if runtime and numpy and parse_version(numpy) >= (2,):
        add(
            "tflite-numpy",
            "warning" if litert else "problem",
            f"tflite-runtime {runtime} with NumPy {numpy}",
            "pip install 'numpy<2'",
        )
    for package, version in edgetpu.items():
        if not is_stock_edgetpu(version):
            continue
        if runtime and parse_version(runtime) >= (2, 12) and not litert:
            # google-coral/edgetpu issue 812
            add("edgetpu-tflite", "problem", f"{package} {version} crashes with tflite-runtime {runtime}", REBUILT)
        elif litert:
            add("edgetpu-litert", "warning", f"{package} {version} is of 2021, LiteRT {litert} is not", REBUILT)
    if "opencv-python" in versions and "opencv-python-headless" in versions:
        seen = "opencv-python and opencv-python-headless overwrite each other"
        add("opencv-twice", "warning", seen, "pip uninstall both, then pip install opencv-python-headless")
    if "pycoral" in versions:
        add("pycoral", "warning", "the PyPI package pycoral has nothing to do with Coral", "pip uninstall pycoral")
    if "kms" in versions:
        seen = "the PyPI package kms is not the one that picamera2 means"
        add("kms", "problem", seen, "pip uninstall kms; picamera2 comes from apt")
    return findings or [Finding("pairs", "known trouble", "ok", "no bad pair of versions")]


def is_stock_edgetpu(version: str) -> bool:
    """Return whether a package of libedgetpu is Coral's own, not a rebuilt one."""
    # Coral's end at 16.0 (2021). Rebuilt ones name their TensorFlow, as in 16.0tf2.17.1-1.
    return re.fullmatch(r"1[0-6](\.\d+)*(-\d+)?", version) is not None


def parse_version(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: "2.4.6rc1" -> (2, 4, 6)."""
    found = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
