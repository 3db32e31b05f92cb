#!/bin/sh
# Install this kit: sudo sh install.sh. All options: sudo sh install.sh install --help. Reads this folder only; it may be
# on a FAT stick or read-only. Above the last line are functions only: of a script that was copied in part nothing runs.

refuse() {
    # No control characters: names of files are in the text.
    printf 'install.sh: %s' "$2" | tr '\000-\037\177' '?' >&2
    echo >&2
    exit "$1"
}

# The names in SHA256SUMS, one a line.
listed() { cut -c 67- SHA256SUMS; }

# All that lies here but folders, and what desktops leave on a stick; one a line, "?" for the end of a line in a name.
held() {
    find . ! -type d ! \( -type f \( -name '._*' -o -name .DS_Store -o -name Thumbs.db -o -name desktop.ini \) \) \
        "$@" -print0 | tr '\n\000' '?\n' | cut -c 3-
}

# What is not in SHA256SUMS. No regular expression and no pattern: the names are whatever somebody made them.
strange() { { listed; listed; echo SHA256SUMS; echo SHA256SUMS; held | sort -u; } | sort | uniq -u; }

# The first of some names, as a terminal may show it.
first() { head -n 1 | cut -c 1-200 | tr -c '0-9A-Za-z@_+=.,!~/\n-' '?'; }

check_list() {
    [ -f SHA256SUMS ] && [ ! -L SHA256SUMS ] || refuse 66 "$1: no kit: SHA256SUMS is missing: $again"
    [ "$(wc -c <SHA256SUMS)" -le 1048576 ] || refuse 65 "SHA256SUMS has more than 1048576 bytes: no kit: $again"
    # Names that stay below this folder, of characters that mean nothing to a shell. "#": grep may end a line at a NUL.
    part='[0-9A-Za-z@_+=,!~-][0-9A-Za-z@_+=.,!~-]*'
    if tr '\000' '#' <SHA256SUMS | grep -qvE "^[0-9a-f]{64}  $part(/$part)*\$"; then
        refuse 65 "SHA256SUMS has a line that is no hash and name of a file of the kit: $again"
    fi
    twice=$(listed | sort | uniq -d | first)
    [ -z "$twice" ] || refuse 65 "SHA256SUMS has $twice twice: $again"
    for name in kit.json install.sh; do
        listed | grep -qxF "$name" || refuse 65 "$name is not in SHA256SUMS: $again"
    done
}

check_files() {
    # A link could lead elsewhere once its file was checked.
    odd=$(held ! -type f | first)
    [ -z "$odd" ] || refuse 65 "$odd is not a plain file: $again"
    number=$(strange | wc -l)
    [ "$number" = 0 ] || refuse 65 "files that are not in SHA256SUMS: $number, such as $(strange |
        first): two versions lie in this folder: $again"
    wrong=$(sha256sum --check --strict --quiet SHA256SUMS 2>/dev/null) ||
        refuse 65 "${wrong%%:*} is damaged or missing: $again, and eject the stick before you pull it out"
}

# Check all of the kit in the folder $1, and print the name of the wheel that installs it.
checked() (
    cd -- "$1" || exit 66
    again='remove the folder fieldfare-kit and copy the kit again'
    check_list "$1"
    check_files
    [ "$(listed | grep -c '^wheels/fieldfare-[^/]*\.whl$')" = 1 ] ||
        refuse 65 "wheels/fieldfare-*.whl: must be one file, not none or two versions: $again"
    listed | grep '^wheels/fieldfare-[^/]*\.whl$'
)

install_kit() {
    # Of what a root shell may bring along, nothing counts.
    unset CDPATH IFS LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT
    PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
    export PATH LC_ALL
    case $0 in /*) script=$0 ;; *) script=./$0 ;; esac
    kit=$(cd -- "$(dirname -- "$script")" && pwd -P) || exit 66
    [ "$(id -u)" = 0 ] ||
        refuse 74 "only root may do this, and --dry-run too, as it looks where others may not: sudo sh $0 $*"
    python=/usr/bin/python3
    [ -x "$python" ] || refuse 72 "python3 is not installed: use Raspberry Pi OS 12 or 13, or: sudo apt install python3"
    "$python" -I -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' ||
        refuse 72 "$("$python" -V): must be Python 3.11, 3.12 or 3.13: use Raspberry Pi OS 12 or 13"
    # Before anything of the kit runs.
    wheel=$(checked "$kit") || exit
    # The wheel is read once more, a stick may fail now, and the file be another: so what runs is what was hashed, in
    # memory. And a wrong byte in this script may have ended a check above: it is looked at once more from outside.
    # Not PYTHONPATH and -m: a json.py in the folder that one happens to be in must not run as root.
    exec env -i "PATH=$PATH" LC_ALL=C.UTF-8 "$python" -I -B -c 'import hashlib, os, runpy, sys
def content(name):
    try:
        with open(os.path.join(sys.argv[1], name), "rb") as file:
            return file.read(1 << 26)
    except OSError:
        return b""
sums = content("SHA256SUMS").decode("ascii", "replace").split("\n")
for name in ("install.sh", sys.argv.pop(2)):
    data = content(name)
    if sums.count(hashlib.sha256(data).hexdigest() + "  " + name) != 1:
        print(f"install.sh: {name!a} is damaged: remove the folder fieldfare-kit and copy the kit again", file=sys.stderr)
        sys.exit(65)
memory = open(os.memfd_create("fieldfare"), "wb")
memory.write(data)
memory.flush()
sys.path.insert(0, f"/proc/self/fd/{memory.fileno()}")
sys.exit(runpy.run_module("edge.installing.from_kit", run_name="__main__", alter_sys=True))' "$kit" "$wheel" "$@"
}
install_kit "$@"
