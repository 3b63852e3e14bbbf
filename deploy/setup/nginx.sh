#!/bin/sh
# Make sure that there is an nginx for the TLS front, from the system's own packages; its service is not started.
set -eu
cd "$(dirname "$0")/../.."
. deploy/setup/apt.sh

PATH=$PATH:/usr/sbin
command -v nginx >/dev/null || install_packages front nginx
