"""Which endpoints a scan profile may name: https anywhere, http on this machine; nothing that reads in two ways."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

# Space, backslash and the like are read differently by different parsers; user, query and fragment have no place here.
_PLAIN = re.compile(r"https?://[A-Za-z0-9._:\[\]-]+(/[A-Za-z0-9._~/-]*)?", re.IGNORECASE)


def is_safe_endpoint(url: str) -> bool:
    """Whether credentials may be sent there."""
    if not _PLAIN.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port  # `port` raises for one that is none
    except ValueError:
        return False
    return bool(host) if parts.scheme == "https" else _is_this_machine(host)


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
