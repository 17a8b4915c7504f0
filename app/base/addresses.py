"""Addresses as they may be kept and shown."""

from urllib.parse import urlsplit, urlunsplit


def without_secrets(place: str) -> str:
    """An address without user, password and query, which may hold keys. Folders stay as they are."""
    try:
        address = urlsplit(place)
    except ValueError:  # half an IPv6 address, say
        return place.rpartition("@")[2].partition("?")[0]
    if address.scheme not in ("http", "https"):
        return place
    return urlunsplit((address.scheme, address.netloc.rpartition("@")[2], address.path, "", ""))


def origin_of(place: str) -> str:
    """Scheme, host and port: what a secret is for. "" for a folder."""
    try:
        address = urlsplit(place)
        port = address.port or {"http": 80, "https": 443}.get(address.scheme)
    except ValueError:
        return ""
    return f"{address.scheme}://{address.hostname}:{port}" if port and address.hostname else ""


def host_of(place: str) -> str:
    """ "" for a folder."""
    try:
        return urlsplit(place).hostname or ""
    except ValueError:
        return ""
