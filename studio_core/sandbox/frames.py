"""Messages between the studio and its helper: four bytes with the length, then JSON."""

from __future__ import annotations

import socket
import struct
import time

LONGEST = 64 << 20
"""Bytes of a message. A record of 16 MB, which is as long as a line may be, fits with what is said of it."""

_LENGTH = struct.Struct(">I")


class TooLong(Exception):
    """More than ``LONGEST``."""


def send(connection: socket.socket, message: bytes, deadline: float | None = None) -> None:
    """Raises ``TooLong``, ``TimeoutError`` at the deadline (of the monotonic clock), ``OSError`` of a broken line."""
    if len(message) > LONGEST:
        raise TooLong
    connection.settimeout(_left(deadline))
    connection.sendall(_LENGTH.pack(len(message)) + message)


def receive(connection: socket.socket, deadline: float | None = None) -> bytes:
    """The next message; empty if the other side is gone."""
    head = _exactly(connection, _LENGTH.size, deadline)
    if not head:
        return b""
    (length,) = _LENGTH.unpack(head)
    if length > LONGEST:
        raise TooLong
    return _exactly(connection, length, deadline)


def _exactly(connection: socket.socket, count: int, deadline: float | None) -> bytes:
    message = bytearray()
    while len(message) < count:
        connection.settimeout(_left(deadline))
        # A megabyte at a time, so that the deadline is looked at in long messages too.
        block = connection.recv(min(count - len(message), 1 << 20))
        if not block:
            return b""
        message += block
    return bytes(message)


def _left(deadline: float | None) -> float | None:
    # Between calls a helper waits for as long as it may.
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
