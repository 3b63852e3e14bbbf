"""The domain that a host belongs to, so that one owner cannot take all slots by using many host names."""

from ipaddress import ip_address


def domain_of(host: str) -> str:
    """The last two labels of a host name, or an IP address as it is; in lower case.

    Below some suffixes (`co.uk`) several owners share one domain in this sense, and so one share of the slots.
    """
    bare = host.strip("[]").rstrip(".").lower()
    try:
        return str(ip_address(bare))
    except ValueError:
        return ".".join(bare.split(".")[-2:])
