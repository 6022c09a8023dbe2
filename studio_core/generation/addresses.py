"""Which hosts a request of the studio may go to: asked of an address that is given, and of the number connected to.

A name says nothing: it may mean a metadata service of a cloud today and another host tomorrow. So the number is
looked up by us, checked, and connected to, in one go. Loopback and private networks are allowed, since models are
served there; what no model server can be is not.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import httpx

IP = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA_NAMES = frozenset(
    ("metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal")
)
_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        # AWS over IPv6, Alibaba, Azure's wire server, Oracle: in ranges that are otherwise networks like any other.
        ("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    )
)
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))


class AddressRefused(httpx.ConnectError):
    """A host that no request of the studio goes to. Its text names the host and the number."""


def number_of(host: str) -> IP | None:
    """The address that a host is spelled as, None if it is a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def is_disguised(host: str) -> bool:
    """Whether a host is a number that is not written as one: ``2130706433``, ``0x7f.1``, ``0177.0.0.1``."""
    if number_of(host) is not None:
        return False
    try:
        socket.inet_aton(host)
    except (OSError, UnicodeError):
        return False
    return True


def is_refused(host: str) -> bool:
    """Whether a host, by its name or by its number, is none at which a model can be served."""
    number = number_of(host)
    if number is None:
        return host.rstrip(".").lower() in _METADATA_NAMES
    return any(
        one.is_link_local or one.is_unspecified or one.is_multicast or one in _METADATA or _is_broadcast(one)
        for one in _meanings(number)
    )


def is_reserved(host: str) -> bool:
    """Whether a host is a number of this machine, of a private network, or of no network; ``localhost`` is one too."""
    number = number_of(host)
    if number is None:
        name = host.rstrip(".").lower()
        return name == "localhost" or name.endswith(".localhost")
    return any(not one.is_global or one.is_multicast for one in _meanings(number))


def _is_broadcast(number: IP) -> bool:
    return number == ipaddress.IPv4Address("255.255.255.255")


def _meanings(number: IP) -> list[IP]:
    """The address itself, and those that it carries: IPv4 in IPv6 by mapping, 6to4, Teredo, NAT64 or as compatible."""
    if not isinstance(number, ipaddress.IPv6Address):
        return [number]
    inner: list[IP | None] = [number.ipv4_mapped, number.sixtofour, *(number.teredo or ())]
    low = ipaddress.IPv4Address(int(number) & 0xFFFFFFFF)
    if any(number in network for network in _NAT64) or (int(number) >> 32 == 0 and int(number) > 1):
        inner.append(low)
    return [number, *(one for one in inner if one is not None)]


async def resolve(host: str, port: int, private: bool = True) -> str:
    """The number to connect to for a host; raises ``AddressRefused`` if any number of it is refused.

    Without ``private`` those of this machine and of private networks are refused too.
    """
    if is_refused(host) or is_disguised(host):
        raise AddressRefused(f"{host} is no host at which a service can be")
    try:
        known = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpx.ConnectError(f"{host}: {error.strerror or error}") from error
    numbers = [str(entry[4][0]) for entry in known]
    for number in numbers:
        if is_refused(number) or (not private and is_reserved(number)):
            raise AddressRefused(f"{host} is {number}, at which no service can be")
    if not numbers:
        raise httpx.ConnectError(f"{host} has no address")
    return numbers[0]


class CheckedTransport(httpx.AsyncHTTPTransport):
    """Connects to the number that was checked. Certificates are asked for by the name all the same."""

    def __init__(self, *, private: bool = True, **more: Any) -> None:
        super().__init__(**more)
        self.private = private

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        number = await resolve(host, port, self.private)
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=number)  # The header "host" is set already, by name.
        return await super().handle_async_request(request)


def transport_for(address: str, limits: httpx.Limits) -> CheckedTransport | None:
    """The checking transport; None where a proxy of the environment connects, which looks names up itself."""
    parts = urlsplit(address)
    proxied = urllib.request.getproxies().get(parts.scheme) and not urllib.request.proxy_bypass(parts.netloc)
    return None if proxied else CheckedTransport(limits=limits)
