from __future__ import annotations

import socket

import pytest

from app.server import check_host, take_port
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.people import accounts


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback(host: str) -> None:
    assert accounts.is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org", ""])
def test_addresses_that_others_reach_need_accounts(studio: Studio, host: str) -> None:
    with pytest.raises(BadInput, match="users add NAME --role administrator"):
        check_host(studio, host)
    accounts.add(studio, "ann", "administrator", "correct horse battery")
    check_host(studio, host)


@pytest.mark.parametrize("more", [{"allowed_hosts": "studio.example.org"}, {"trusted_proxy": "127.0.0.1"}])
def test_so_do_names_and_proxies(studio: Studio, more: dict[str, str]) -> None:
    check_host(studio, "127.0.0.1")
    reached = Studio(studio.settings.model_copy(update=more), studio.db)
    with pytest.raises(BadInput, match=next(iter(more.values()))):
        check_host(reached, "127.0.0.1")


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
