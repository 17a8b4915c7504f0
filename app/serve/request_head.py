"""The head of an HTTP/1.1 request, read strictly: what two programs could understand in two ways is refused.

The standard library's own parser ends at a line that it does not understand and takes the rest for the body, so that
somebody behind another program could have a second request answered in its name (RFC 9112, 11.2).
"""

import re
from collections.abc import Callable
from http.client import HTTPMessage

from app.serve.refusals import refusal

FIELDS_MOST = 64
_VERSION = b"HTTP/1.1"
_REQUEST = re.compile(rb"([A-Z]{1,16}) (/[!-~]*)(?: (HTTP/[0-9]\.[0-9]))?\r\n")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)\r\n")
_ONCE = frozenset(
    ("host", "content-length", "transfer-encoding", "content-type", "content-encoding", "authorization", "origin",
     "expect", "connection")
)  # fmt: skip


def read(next_line: Callable[[], bytes]) -> tuple[str, str, HTTPMessage]:
    """Return the method, the target and the fields. `next_line`: with its end. Raises Refusal."""
    request = _REQUEST.fullmatch(next_line())
    if request is None:
        raise refusal(400, "not_http")
    if request[3] != _VERSION:
        raise refusal(505, "not_http")
    fields = HTTPMessage()
    count = 0
    while (line := next_line()) != b"\r\n":
        found = _FIELD.fullmatch(line)
        if found is None:  # also a blank before the colon, a line that goes on in the next, an end without CR
            raise refusal(400, "not_http")
        name = found[1].decode("ascii")
        if name.lower() in _ONCE and name in fields:
            raise refusal(400, "not_http")
        count += 1
        if count > FIELDS_MOST:
            raise refusal(431, "head_too_large")
        fields[name] = found[2].rstrip(b" \t").decode("latin-1")
    return request[1].decode("ascii"), request[2].decode("ascii"), fields
