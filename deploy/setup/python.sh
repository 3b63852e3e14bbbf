#!/bin/sh
# Fill .venv with locked packages, and with our two distributions as editable installs.
#
#   python.sh demo   what `make run` needs: requirements-demo.lock
#   python.sh        everything, tests and tools included: requirements.lock
#
# A second run takes a moment and no network. "demo" after "everything" removes nothing. An interrupted run is repeated
# from its beginning. uv installs when it can be had, pip otherwise; both require the hashes of the lock files.
set -eu
cd "$(dirname "$0")/../.."

case "${1:-all}" in
    demo) lock=requirements-demo.lock stamp=.venv/installed-demo ;;
    all) lock=requirements.lock stamp=.venv/installed ;;
    *) echo "install: unknown argument: $1" >&2; exit 2 ;;
esac
# The folder is a part of it: editable installs and console scripts hold absolute paths.
wanted=$({ pwd; cat requirements.lock requirements-demo.lock pyproject.toml shared/pyproject.toml; } | cksum)
log=var/log/install.log
tools=build/tools                           # uv, apart from the packages of the project

is_installed() {
    [ "$(cat .venv/installed 2>/dev/null)" = "$wanted" ] || [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]
}

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

# step TEXT COMMAND...: print the text and then the seconds that the command takes; its output goes to the log.
step() {
    text=$1
    shift
    began=$(date +%s)
    printf 'install: %s ...' "$text"
    "$@" >>"$log" 2>&1 </dev/null &
    child=$!
    # A shell without job control starts background commands with Ctrl-C ignored.
    trap 'kill "$child" 2>/dev/null; echo; exit 130' INT TERM HUP
    if [ -t 1 ]; then
        while kill -0 "$child" 2>/dev/null; do
            printf '\rinstall: %s ... %s s' "$text" "$(($(date +%s) - began))"
            sleep 0.5
        done
    fi
    status=0
    wait "$child" || status=$?
    trap - INT TERM HUP
    if [ -t 1 ]; then
        printf '\rinstall: %s ...' "$text"
    fi
    if [ "$status" = 0 ]; then
        echo " $(($(date +%s) - began)) s"
    else
        echo " failed"
    fi
    return "$status"
}

# The installers fail with a page of text; these are the reasons that people meet.
reason() {
    if grep -qiE 'NewConnectionError|NameResolutionError|timed out|Network is unreachable|ProxyError|dns error|error sending request' "$log"; then
        echo "no network: the package index cannot be reached"
    elif grep -q 'No space left' "$log"; then
        echo "the disk is full"
    else
        grep -E '^ERROR|^error|Error' "$log" | head -n 1 | grep . || echo "failed"
    fi
}

or_fail() {
    "$@" || fail "$(reason) (all output: $log)"
}

require_python() {
    python=$(find_python) || fail "Python 3.11 or newer is needed, and none was found"
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        # Debian keeps these apart from Python itself.
        package=$(basename "$python")-venv
        if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
            fail "$python lacks venv; as root: apt-get install $package"
        fi
        or_fail step "fetching the list of Debian packages" apt-get update
        or_fail step "installing $package" \
            env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$package"
    fi
}

# Sets $pip_wheel to the pip that Python bundles for new virtual environments, or to nothing when Python has a pip
# itself. Both save the seconds that installing pip into a virtual environment takes.
find_pip() {
    require_python
    pip_wheel=
    if ! "$python" -m pip --python "$python" --version >/dev/null 2>&1; then   # pip before 22.3 has no --python
        pip_wheel=$("$python" -c '
import ensurepip, pathlib, sysconfig
folders = [pathlib.Path(ensurepip.__file__).parent / "_bundled", pathlib.Path(sysconfig.get_config_var("WHEEL_PKG_DIR") or "/")]
print(max(wheel for folder in folders for wheel in folder.glob("pip-*.whl")))
' 2>>"$log") || fail "$python has no pip"
    fi
}

# pip_for PYTHON ARGUMENT...: pip, working on the environment of PYTHON.
pip_for() {
    target=$1
    shift
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
    if [ -n "$pip_wheel" ]; then
        "$python" "$pip_wheel/pip" --python "$target" "$@"
    else
        "$python" -m pip --python "$target" "$@"
    fi
}

# Sets $uv to a command, or to nothing where there is no uv.
find_uv() {
    for uv in uv "$tools/bin/uv"; do
        if "$uv" --version >/dev/null 2>&1; then
            return
        fi
    done
    find_pip
    uv=$tools/bin/uv
    rm -rf "$tools"
    or_fail "$python" -m venv --without-pip "$tools"
    step "downloading uv, which installs faster than pip" \
        pip_for "$tools/bin/python" install --require-hashes --only-binary :all: -r deploy/setup/requirements-uv.lock || uv=
}

by_uv() {
    # An index that is set for pip is the index for uv, too.
    index=${PIP_INDEX_URL:-}
    if [ -n "$index" ] && [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then
        export UV_DEFAULT_INDEX="$index"
    fi
    step "downloading and installing $count packages" \
        "$uv" pip install --python .venv/bin/python --require-hashes --only-binary :all: --compile-bytecode -r "$lock" &&
        step "installing this checkout" \
            "$uv" pip install --python .venv/bin/python --no-deps --no-build-isolation -e shared -e .
}

by_pip() {
    find_pip
    or_fail step "downloading and installing $count packages with pip, in about a minute" \
        pip_for .venv/bin/python install --require-hashes --only-binary :all: -r "$lock"
    or_fail step "installing this checkout" \
        pip_for .venv/bin/python install --no-deps --no-build-isolation -e shared -e .
}

if is_installed; then
    exit 0
fi
mkdir -p var/log
: >"$log"
rm -f .venv/installed .venv/installed-demo
if ! is_usable .venv/bin/python; then
    require_python
    rm -rf .venv
    or_fail step "making .venv" "$python" -m venv --without-pip .venv
fi
count=$(grep -c '^[a-z0-9]' "$lock")
find_uv
if [ -z "$uv" ] || ! by_uv; then
    : >"$log"
    by_pip
fi
echo "$wanted" >"$stamp"                    # written last, so that it never stands for half an installation
