"""The limit of open files, which bounds the connections of a process."""

import resource


def raise_file_limit(wanted: int) -> int:
    """Raise the limit of open files to `wanted`, or as close as the hard limit allows, and return the new limit.

    The default is 1024 or 256 on most systems.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft == resource.RLIM_INFINITY or soft >= possible:
        return wanted if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    return possible
