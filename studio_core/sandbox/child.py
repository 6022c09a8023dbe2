"""The helper: ``python -m studio_core.sandbox.child``, with its line to the studio as standard input.

It answers one call after the other, and ends when the line closes. Before each call comes the number of seconds
that it may take. Limits of the system hold it, not its own
care: what a template or a tokenizer does cannot be interrupted from within the interpreter that runs it.
"""

from __future__ import annotations

import importlib
import math
import resource
import socket
import sys
import time

from studio_core.sandbox import calls, frames
from studio_core.sandbox.limits import ADDRESS_SPACE, FULL, IDLE


def main() -> None:
    connection = socket.socket(fileno=0)
    _lock_down()
    importlib.import_module(
        "studio_core.data.tokenized"
    )  # What nearly every call needs, before there is one.
    calls.enter()
    # Between calls only: nobody loses an answer by it.
    while _address_space() < FULL:
        try:
            # In a message of its own before the call, so that a call's bytes cannot set it.
            seconds = frames.receive(connection, time.monotonic() + IDLE)
        except TimeoutError:
            return
        request = frames.receive(connection)
        if not request:
            return
        _allow(int(seconds))
        frames.send(connection, calls.answer(request))


def _lock_down() -> None:
    """No more memory than the limit, no files written, no cores dumped. Cannot be taken back."""
    for limit, value in (
        (resource.RLIMIT_AS, ADDRESS_SPACE),
        # Tokenizers and templates only read; a library that would cache something on disk fails instead.
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        # Far more than the files of one model, and far fewer than would starve others.
        (resource.RLIMIT_NOFILE, 64),
    ):
        # macOS does not know a limit of the address space; time and output are limited there too.
        try:
            resource.setrlimit(limit, (value, value))
        except (ValueError, OSError):
            if sys.platform != "darwin":
                raise


def _allow(seconds: int) -> None:
    """Have the kernel end this process after so much more processor time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    # The limit counts from the birth of the process, hence what it has
    # used already; whole seconds, as the kernel has them.
    until = math.ceil(used.ru_utime + used.ru_stime) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _address_space() -> int:
    """Bytes; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


if __name__ == "__main__":
    main()
