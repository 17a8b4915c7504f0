"""Which addresses are this machine's or of the local network, which the internet does not carry."""

import ipaddress

# RFC 1918, 6890, 4193, 4291: this machine, and networks that the internet does not carry.
_LOCAL_NETWORKS = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
        *("::1/128", "fc00::/7", "fe80::/10"),
    )
)


def is_local(ip: str) -> bool:
    """Whether a numeric address is this machine's or of the local network. False for what is none."""
    try:
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in _LOCAL_NETWORKS if network.version == address.version)
