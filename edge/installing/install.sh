#!/bin/sh
# Install this kit: sudo sh install.sh. All options: sudo sh install.sh install --help. Reads this folder only; it may be
# on a FAT stick or read-only. (A script that was copied in part has no last line, and so does nothing.)
install_kit() {
    kit=$(cd -- "$(dirname -- "$0")" && pwd -P) || exit 66
    refuse() { echo "install.sh: $2" >&2; exit "$1"; }
    [ -f "$kit/SHA256SUMS" ] || refuse 66 "$kit: no kit: SHA256SUMS is missing: copy the kit again, whole"
    [ "$(id -u)" = 0 ] || refuse 74 "only root may install: sudo sh $0"
    python=/usr/bin/python3
    [ -x "$python" ] || refuse 72 "python3 is not installed: use Raspberry Pi OS 12 or 13, or: sudo apt install python3"
    "$python" -I -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' ||
        refuse 72 "$("$python" -V): must be Python 3.11, 3.12 or 3.13: use Raspberry Pi OS 12 or 13"
    # Before anything of the kit runs. What is too much, or not of this kit, is found below.
    (cd -- "$kit" && sha256sum --check --strict --quiet SHA256SUMS) ||
        refuse 65 "the kit is damaged: copy it again, and eject the stick before you pull it out"
    wheel=
    for file in "$kit"/wheels/fieldfare-*.whl; do wheel=$file; done
    [ -f "$wheel" ] || refuse 65 "wheels/fieldfare-*.whl is missing: copy the kit again"
    # Not PYTHONPATH and -m: a file such as json.py in the folder that one happens to be in must not run as root.
    exec "$python" -I -B -c 'import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
sys.exit(runpy.run_module("edge.installing.from_kit", run_name="__main__", alter_sys=True))' "$wheel" "$kit" "$@"
}
install_kit "$@"
