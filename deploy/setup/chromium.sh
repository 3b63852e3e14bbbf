#!/bin/sh
# Make sure that there is a Chromium for the tests in a real browser, from the system's own packages. The headless shell
# is preferred, because it needs less CPU time. Where it cannot be installed, any other Chromium serves.
set -eu
cd "$(dirname "$0")/../.."
. deploy/setup/apt.sh

has_any() {
    for name in "$@"; do
        # Ubuntu's package is a stub that asks for its snap, so it must also answer.
        if command -v "$name" >/dev/null && "$name" --version >/dev/null 2>&1; then
            return 0
        fi
    done
    return 1
}

has_chromium() {
    has_any chromium chromium-browser google-chrome google-chrome-stable
}

may_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

if has_any chromium-headless-shell; then
    exit 0
fi
# Where another Chromium serves, one attempt is enough: its log is the record of it.
if may_install && { ! has_chromium || [ ! -e var/log/browser.log ]; }; then
    (install_packages browser chromium-headless-shell) || true
fi
if has_any chromium-headless-shell || has_chromium; then
    exit 0
fi
install_packages browser chromium
has_chromium || { echo "browser: apt-get installed no Chromium that runs here; install one by hand" >&2; exit 1; }
