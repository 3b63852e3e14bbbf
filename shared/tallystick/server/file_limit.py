"""Room for as many connections as the server allows itself."""

import resource


def raise_file_limit(wanted: int) -> None:
    """Raise the limit of open files to `wanted`, or as near as it may go. Systems begin with 1024 or 256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < possible:
        resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
