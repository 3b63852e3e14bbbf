#!/bin/sh
# Make sure that there is a Chromium for the tests in a real browser, from the system's own packages.
set -eu
cd "$(dirname "$0")/../.."
. deploy/setup/apt.sh

has_chromium() {
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        # Ubuntu's package is a stub that asks for its snap, so it must also answer.
        if command -v "$name" >/dev/null && "$name" --version >/dev/null 2>&1; then
            return 0
        fi
    done
    return 1
}

if has_chromium; then
    exit 0
fi
install_packages browser chromium
has_chromium || { echo "browser: apt-get installed no Chromium that runs here; install one by hand" >&2; exit 1; }
