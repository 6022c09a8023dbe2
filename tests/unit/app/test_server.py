from __future__ import annotations

import socket

import pytest

from app.server import is_loopback, take_port
from studio_core.errors import BadInput


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org", ""])
def test_addresses_that_others_reach_are_refused(host: str) -> None:
    with pytest.raises(BadInput, match="accounts"):
        take_port(host, 7860)


def test_a_taken_port_is_named_with_one_that_is_free() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(BadInput) as refused:
            take_port("127.0.0.1", port)
    assert str(port) in refused.value.sentence()
    with take_port("127.0.0.1", refused.value.values["free"]):
        pass
