"""Strip and split network addresses, and recognize addresses of the local network."""

import ipaddress
from urllib.parse import urlsplit, urlunsplit

# Addresses of this machine and of networks that the internet does not route (RFC 1918, 6890, 4193, 4291).
_LOCAL_NETWORKS = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
        *("::1/128", "fc00::/7", "fe80::/10"),
    )
)


def is_web_address(text: str) -> bool:
    """Return whether a text is an http(s) address without user, password, query and fragment, for a mirror or proxy."""
    try:
        address = urlsplit(text)
        has_port = address.port != 0  # raises ValueError for an invalid port
    except ValueError:
        return False
    is_plain = text.isprintable() and " " not in text and not {"@", "?", "#", "\\"} & set(text)
    return address.scheme in ("http", "https") and bool(address.hostname) and has_port and is_plain


def strip_credentials(address_or_folder: str) -> str:
    """Return an http(s) address without user, password, query and fragment; any other text unchanged."""
    try:
        address = urlsplit(address_or_folder)
    except ValueError:  # such as an incomplete IPv6 address
        return address_or_folder.rpartition("@")[2].partition("?")[0]
    if address.scheme not in ("http", "https"):
        return address_or_folder
    return urlunsplit((address.scheme, address.netloc.rpartition("@")[2], address.path, "", ""))


def origin_of(address_or_folder: str) -> str:
    """Return "scheme://host:port" of an address, under which its API key is stored; "" for the path of a folder."""
    try:
        address = urlsplit(address_or_folder)
        port = address.port or {"http": 80, "https": 443}.get(address.scheme)
    except ValueError:
        return ""
    return f"{address.scheme}://{address.hostname}:{port}" if port and address.hostname else ""


def host_of(address: str) -> str:
    """Return the host of an address; "" for the path of a folder."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def is_local_address(ip: str) -> bool:
    """Return whether a numeric address belongs to this machine or the local network; False for other text."""
    try:
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in _LOCAL_NETWORKS if network.version == address.version)
