"""Notes every connection and every look-up of a name that a process makes.

python -m tests.hostile.calls FILE -m app ...    runs the studio and writes its calls to FILE
"""

from __future__ import annotations

import ipaddress
import runpy
import sys
from collections.abc import Callable
from typing import Any

EVENTS = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")


def listen(noted: Callable[[str], object]) -> None:
    """Call ``noted`` with each call that leaves this machine. It cannot be undone: the interpreter keeps the hook."""

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in EVENTS:
            address = args[0] if event in EVENTS[1:3] else args[1]
            host = address[0] if isinstance(address, tuple) else address
            if not is_here(host):
                noted(f"{event} {host!r}")

    sys.addaudithook(hook)


def is_here(host: object) -> bool:
    """Whether an address is of this machine: loopback, a file, or none."""
    text = host.decode(errors="replace") if isinstance(host, bytes) else str(host or "")
    if text in ("", "localhost", "0.0.0.0", "::") or text.startswith(("/", "\0")):
        return True
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        return False


if __name__ == "__main__":
    file, _, module = sys.argv[1:4]
    sys.argv = [module, *sys.argv[4:]]

    def written(call: str) -> None:
        with open(file, "a", encoding="utf-8") as calls:
            calls.write(f"{call}\n")

    listen(written)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
