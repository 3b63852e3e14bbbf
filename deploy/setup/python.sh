#!/bin/sh
# Make .venv hold exactly what requirements.lock says, and our two distributions as editable installs.
# When it already does, this takes a moment and no network. An interrupted run is simply run again.
set -eu
cd "$(dirname "$0")/../.."

# Where the checkout lies is a part of it: editable installs and console scripts hold absolute paths.
wanted=$({ pwd; cat requirements.lock pyproject.toml shared/pyproject.toml; } | cksum)
stamp=.venv/installed                       # written last, so that it never stands for half an installation
log=var/log/install.log

fail() {
    echo "install: $1" >&2
    exit 1
}

is_usable() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    for candidate in python3.13 python3.12 python3.11 python3; do
        if is_usable "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

logged() {
    "$@" >>"$log" 2>&1 || fail "$(reason) (the whole story: $log)"
}

# pip fails with a page of text; these are the reasons that people meet.
reason() {
    if grep -qiE 'NewConnectionError|NameResolutionError|timed out|Network is unreachable|ProxyError' "$log"; then
        echo "no network: the package index cannot be reached"
    elif grep -q 'No space left' "$log"; then
        echo "the disk is full"
    else
        grep -E '^ERROR|^error|Error' "$log" | head -n 1 | grep . || echo "failed"
    fi
}

make_venv() {
    python=$(find_python) || fail "Python 3.11 or newer is needed, and none was found"
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        # Debian keeps these apart from Python itself.
        package=$(basename "$python")-venv
        if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
            fail "$python lacks venv; as root: apt-get install $package"
        fi
        echo "install: installing $package"
        logged apt-get update
        logged env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$package"
    fi
    rm -rf .venv
    logged "$python" -m venv .venv
}

if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi
mkdir -p var/log
: >"$log"
rm -f "$stamp"
if ! is_usable .venv/bin/python || ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    make_venv
fi
echo "install: installing the locked packages into .venv"
pip="env PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 .venv/bin/python -m pip"
# shellcheck disable=SC2086 # $pip is several words
{
    logged $pip install --require-hashes --only-binary :all: -r requirements.lock
    logged $pip install --no-deps --no-build-isolation -e shared -e .
}
echo "$wanted" >"$stamp"
