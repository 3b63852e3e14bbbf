#!/bin/sh
# Make sure that the clients of tests/foreign are there: Apache with mod_auth_openidc from the system's own packages
# (no service is started), and what package-lock.json names for Node.js. When they are, this takes a moment.
set -eu
cd "$(dirname "$0")/../.."
. deploy/setup/apt.sh

PATH=$PATH:/usr/sbin
modules=/usr/lib/apache2/modules
missing=
command -v apache2 >/dev/null || missing="$missing apache2-bin"
[ -e "$modules/mod_auth_openidc.so" ] || missing="$missing libapache2-mod-auth-openidc"
command -v node >/dev/null || missing="$missing nodejs"
command -v npm >/dev/null || missing="$missing npm"
# shellcheck disable=SC2086 # $missing is several words
[ -z "$missing" ] || install_packages foreign $missing

if ! node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)'; then
    echo "foreign: Node.js 18 or newer is needed, and $(node --version) was found" >&2
    exit 1
fi
cd tests/foreign/node
wanted=$(cat package.json package-lock.json | cksum)
stamp=node_modules/installed                # written last, so that it never stands for half an installation
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    log=../../../var/log/npm.log
    mkdir -p ../../../var/log
    echo "foreign: installing the locked npm packages"
    if ! npm ci --ignore-scripts --no-audit --no-fund >"$log" 2>&1 </dev/null; then
        echo "foreign: npm could not install them: $(grep -m 1 'npm err' -i "$log") (the whole story: var/log/npm.log)" >&2
        exit 1
    fi
    echo "$wanted" >"$stamp"
fi
