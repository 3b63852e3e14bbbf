"""Which hosts belong to one owner, so that one owner cannot take every place by having many host names."""

from ipaddress import ip_address


def domain_of(host: str) -> str:
    """The last two labels of a host name, or an IP address as it is; in lower case.

    Coarser than the owner below some suffixes (`co.uk`): then several owners have one share.
    """
    bare = host.strip("[]").rstrip(".").lower()
    try:
        return str(ip_address(bare))
    except ValueError:
        return ".".join(bare.split(".")[-2:])
