#!/bin/sh
# Make sure that there is a Chromium for the tests in a real browser, from the system's own packages.
set -eu
cd "$(dirname "$0")/../.."

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
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "browser: Chromium is needed and was not found; as root on Debian: apt-get install chromium" >&2
    exit 1
fi
log=var/log/chromium.log
mkdir -p var/log
echo "browser: installing Chromium"
if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium; } \
    >"$log" 2>&1 </dev/null; then
    echo "browser: apt-get could not install Chromium: $(grep '^E:' "$log" | head -n 1) (the whole story: $log)" >&2
    exit 1
fi
has_chromium || { echo "browser: apt-get installed no Chromium that runs here; install one by hand" >&2; exit 1; }
