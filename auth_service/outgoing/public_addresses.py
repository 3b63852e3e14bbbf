"""The IP addresses that are on the public internet (the special-purpose registries of RFC 6890).

For IPv6 the allowed range is listed, because the registry of forbidden ranges grows.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

_IPV4_NOT_PUBLIC = tuple(
    map(
        IPv4Network,
        (
            "192.0.0.0/24",  # protocol assignments, including the metadata service of a cloud provider
            "192.88.99.0/24",  # relays to 6to4
            "168.63.129.16/32",  # a public number, but in Azure it is the host of the virtual machine
        ),
    )
)
_IPV6_PUBLIC = IPv6Network("2000::/3")  # the only range that is assigned to users
_IPV6_NOT_PUBLIC = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: any IPv4 address, through a relay
            "3fff::/20",  # documentation
        ),
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")  # how a network without IPv4 writes IPv4 addresses (RFC 6052 §2.1)


def is_public(address: Address) -> bool:
    """False for loopback, private, link-local, shared (CGNAT), multicast, reserved and documentation addresses.

    An IPv6 address that maps an IPv4 address (IPv4-mapped, NAT64) is judged by that address.
    """
    if isinstance(address, IPv4Address):
        if address.is_multicast or not address.is_global:
            return False
        return not any(address in network for network in _IPV4_NOT_PUBLIC)
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    if address.scope_id is not None:
        return False
    return address in _IPV6_PUBLIC and not any(address in network for network in _IPV6_NOT_PUBLIC)
