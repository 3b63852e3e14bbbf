# For the other scripts here, to be sourced: install Debian packages, or say in one line why not.

# install_packages WHO PACKAGE...: WHO stands before each line that is printed. No service is started.
install_packages() {
    who=$1
    shift
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "$who: needed and not found: $*; as root on Debian: apt-get install --no-install-recommends $*" >&2
        exit 1
    fi
    log=var/log/$who.log
    mkdir -p var/log
    echo "$who: installing $*"
    # Debian starts what it installs, unless this file says that it may not.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } \
        >"$log" 2>&1 </dev/null; then
        echo "$who: apt-get could not install $*: $(grep '^E:' "$log" | head -n 1) (the whole story: $log)" >&2
        exit 1
    fi
}
