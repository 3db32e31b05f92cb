# Find Python 3.11-3.13 and keep a virtual environment up to date. Sourced by tools/demo and tools/test; not a program.

fail() { echo "$(basename "$0"): $*" >&2; exit 1; }

# prepare EXTRA: make .venv with fieldfare[EXTRA], or renew it if pyproject.toml has changed.
prepare() {
    local python="" candidate mark
    for candidate in "${FIELDFARE_PYTHON:-}" python3.13 python3.12 python3.11 python3; do
        [ -n "$candidate" ] && command -v "$candidate" >/dev/null || continue
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
    [ -n "$python" ] || fail "needs Python 3.11, 3.12 or 3.13: sudo apt install python3 python3-venv"
    mark=".venv/.fieldfare-$1-$(sha256sum pyproject.toml | cut -c1-16)"
    if [ ! -e "$mark" ] || ! .venv/bin/python -c 'import edge' 2>/dev/null; then
        if ! "$python" -c 'import ensurepip' 2>/dev/null; then
            [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "needs venv: sudo apt install python3-venv"
            apt-get update -qq && apt-get install -y -qq python3-venv
        fi
        echo "setting up .venv with $("$python" --version): packages are downloaded once (about 700 MB)"
        [ -x .venv/bin/python ] || "$python" -m venv .venv
        install --upgrade 'pip>=24'
        install --editable ".[$1]"
        touch "$mark"
    fi
}

install() {
    PYTHONWARNINGS=ignore .venv/bin/python -m pip install --progress-bar off --disable-pip-version-check "$@" 2>&1 |
        notices ||
        fail "the packages could not be installed (above)"
}

# Show each package once, so that minutes of downloading are not silent, and whatever else is no routine.
notices() {
    awk '
        /is ignored: it is neither a file nor a directory/ { next }
        /^ *Collecting / { if (!shown[$2]++) { print "  " $2; fflush() } next }
        /^Installing collected packages/ { print "  installing them"; fflush(); next }
        /^ *(Using cached|Downloading|Requirement already|Obtaining|Looking in|Preparing|Getting|Checking) / { next }
        /^ *(Installing build|Installing backend|Building|Created wheel|Stored in|Attempting|Found existing) ?/ { next }
        /^ *(Uninstalling|Successfully|Created temporary) ?/ { next }
        /^$/ { next }
        { print; fflush() }
    '
}
