"""Buckets for rate limits, and the networks and sites that an IP address belongs to."""

import hashlib
import ipaddress

from auth_service.http.mac import encode_parts
from auth_service.store.limits.rate_limits import Bucket


def bucket(kind: str, *counted: str, burst: int, interval: int, order: int = 0) -> Bucket:
    """A leaky bucket for `counted`: `burst` attempts are free, then one in `interval` seconds. `order`: see Bucket."""
    key = hashlib.sha256(encode_parts(kind, *counted)).digest()
    return Bucket(key, burst=burst, interval_ms=interval * 1000, order=order)


def failure_audit_limit(address: str) -> Bucket:
    """The limit on audit rows of failures from one network: for each kind of event 200, then one a minute."""
    return bucket("audited failures", network_of(address), burst=200, interval=60)


def site_of(address: str) -> str:
    """The address space of one customer of a provider: an IPv4 address, or the 65,536 networks of an IPv6 /48."""
    network = network_of(address)
    return str(ipaddress.ip_network(network).supernet(new_prefix=48)) if ":" in network else network


def network_of(address: str) -> str:
    """The address space of one subscriber: an IPv4 address, or an IPv6 /64. "unknown" for any other text."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
