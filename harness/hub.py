"""Whether the Hugging Face hub answers, asked once and quickly.

The hub's own client tries again for half a minute before it says that there is no
network, and prints what it tries.
"""

from __future__ import annotations

import functools
import socket
from urllib.parse import urlsplit
from urllib.request import getproxies

PATIENCE = 5.0
"""Seconds until an address counts as one that does not answer: a slow network takes
one."""

PORTS = {"https": 443, "http": 80}


def reachable() -> bool:
    """Return whether the hub's address can be connected to.

    Behind a proxy, which only the client itself can ask, that is taken for granted; and
    where the user switched the hub off (``HF_HUB_OFFLINE``), it cannot.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    return bool(getproxies()) or _answers(constants.ENDPOINT)


@functools.cache
def _answers(address: str) -> bool:
    place = urlsplit(address)
    port = place.port or PORTS.get(place.scheme, 443)
    try:
        socket.create_connection((place.hostname or "", port), PATIENCE).close()
    except OSError:
        return False
    return True
