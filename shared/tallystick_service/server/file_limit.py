"""Room for as many connections as the server allows itself."""

import resource


def raise_file_limit(wanted: int) -> int:
    """Raise the limit of open files to `wanted`, or as near as it may go; what it is then. Systems begin with 1024 or
    256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft == resource.RLIM_INFINITY or soft >= possible:
        return wanted if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    return possible
