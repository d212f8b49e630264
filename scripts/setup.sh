#!/bin/sh
# Makes .venv: exactly the packages of requirements/dev.lock, and the project itself (editable).
# Safe to call at any time and by several callers at once; does nothing when nothing has changed.
set -eu
unset PYTHONDONTWRITEBYTECODE  # without .pyc files every Airflow process needs seconds more to start
cd "$(dirname "$0")/.."

stamp=.venv/hosync-setup.stamp
place=.venv/hosync-place # where the environment was made: its programs name that path, so it can't be moved

say() { echo "setup: $*" >&2; }
fail() { say "$1"; say "what to do: $2"; exit 2; }

fingerprint() {
    { pwd -P; cat requirements/dev.lock requirements/uv.txt pyproject.toml scripts/setup.sh; } | sha256sum
}

find_python() {
    for candidate in "${PYTHON:-}" python3.11 python3 python3.12 python3.13; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
}

install_uv() {
    # uv comes from PyPI like everything else, by its hash, into an environment of its own.
    wanted=$(sed -n 's/^uv==\([^ ;]*\).*/\1/p' requirements/uv.txt)
    case "$(.cache/uv/bin/uv --version 2>/dev/null || true)" in "uv $wanted" | "uv $wanted "*) return ;; esac
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
            fail "Python's venv module is missing and only root can install it." "apt-get install python3-venv"
        say "installing Debian's python3-venv"
        apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv >&2
    fi
    say "installing uv $wanted"
    rm -rf .cache/uv
    "$python" -m venv .cache/uv
    .cache/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt >&2
}

use_pip_mirror() {
    # A machine that reaches packages through a mirror says so in pip's settings, which uv does not read.
    [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ] || return 0
    mirror=$(.cache/uv/bin/python -m pip config list 2>/dev/null | sed -n "s/^\(global\|:env:\)\.index-url='\(.*\)'$/\2/p" | tail -n 1)
    [ -z "$mirror" ] || export UV_DEFAULT_INDEX="$mirror"
}

mkdir -p .cache
exec 9>.cache/setup.lock
flock -n 9 || { say "waiting for another setup to finish"; flock 9; }
[ "$(cat "$stamp" 2>/dev/null)" != "$(fingerprint)" ] || exit 0

python=$(find_python)
[ -n "$python" ] || fail "Python 3.11, 3.12 or 3.13 was not found." "apt-get install python3, or set PYTHON to its path"
install_uv
use_pip_mirror
uv=.cache/uv/bin/uv

rm -f "$stamp"
[ "$(cat "$place" 2>/dev/null || pwd -P)" = "$(pwd -P)" ] || rm -rf .venv
if ! .venv/bin/python -c 'import sys; sys.exit(sys.prefix == sys.base_prefix)' 2>/dev/null; then
    rm -rf .venv
    "$uv" venv --quiet --python "$python" .venv
fi
pwd -P > "$place"
say "installing $(grep -c '==' requirements/dev.lock) packages into .venv"
"$uv" pip sync --quiet --python .venv/bin/python --require-hashes --compile-bytecode requirements/dev.lock
"$uv" pip install --quiet --python .venv/bin/python --offline --no-deps --no-build-isolation --editable .
fingerprint > "$stamp"
say "ready"
