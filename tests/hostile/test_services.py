"""Services that flood, hide or lead elsewhere: each is refused in words, and the process stays small."""

from __future__ import annotations

import asyncio
import gzip
import json
import resource
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from studio_core.base.errors import BadInput, StudioError
from studio_core.generation import streaming
from studio_core.generation.addresses import resolve
from studio_core.generation.asking import MOST_BYTES, Busy, Connection
from studio_core.generation.sampling import Sampling
from studio_core.generation.services import Service, checked_address

SAMPLING = Sampling(temperature=0.0, top_p=1.0, max_tokens=8)
HELLO = [{"role": "user", "content": "Hi"}]
STREAM = "text/event-stream"


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "169.254.169.254",
        "2852039166",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::]",
        "[::a9fe:a9fe]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "168.63.129.16",
        "0.0.0.0",
        "[::]",
        "224.0.0.1",
        "255.255.255.255",
        "metadata.google.internal",
        "METADATA.google.internal.",
        "metadata",
        "instance-data",
    ],
)
def test_a_host_that_is_no_service_cannot_be_given(host: str) -> None:
    with pytest.raises(BadInput, match="is not allowed as a service address"):
        checked_address(f"http://{host}/v1")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "10.1.2.3", "192.168.0.9", "localhost", "api.example.com"]
)
def test_hosts_where_models_are_served_can(host: str) -> None:
    assert checked_address(f"http://{host}/v1") == f"http://{host}/v1"


@pytest.mark.parametrize(
    "number", ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "100.100.100.200"]
)
def test_a_name_that_leads_to_a_metadata_service_is_refused_when_connecting(
    number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names are looked up at the moment of connecting: what was harmless when it was given may lead elsewhere now."""
    lookup = socket.getaddrinfo

    def lying(host: object, port: object, *given: object, **more: object) -> object:
        if host == "harmless.example.com":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, port))]
        return lookup(host, port, *given, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(socket, "getaddrinfo", lying)
    service = Service(name="near", address="http://harmless.example.com/v1", model="m")
    with pytest.raises(StudioError, match="at which no service can be"):
        streaming.follow(service, HELLO, SAMPLING, lambda event: None, lambda: False)


def test_one_bad_number_among_good_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (n, 80)) for n in ("127.0.0.1", "169.254.169.254")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: numbers)
    with pytest.raises(Exception, match=r"169\.254\.169\.254"):
        asyncio.run(resolve("two.example.com", 80))


class Flood:
    """Sends head and then the piece again and again until the other side has had enough."""

    def __init__(self, head: str, piece: bytes, most: int) -> None:
        self.head, self.piece, self.most = head, piece, most
        self.sent = 0
        self.address = ""

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(1 << 16)
                    connection.sendall(self.head.encode())
                    while self.sent < self.most:
                        connection.sendall(self.piece)
                        self.sent += len(self.piece)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(1 << 16):  # What was not read would be answered by a reset.
                        pass
                except OSError:
                    continue


@contextmanager
def flooding(content_type: str, piece: bytes, *, encoding: str = "", most: int = 1 << 30) -> Iterator[Flood]:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nConnection: close\r\n"
    head += f"Content-Encoding: {encoding}\r\n" if encoding else ""
    flood = Flood(head + "\r\n", piece, most)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        flood.address = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        thread = threading.Thread(target=flood.serve, args=(listener,), daemon=True)
        thread.start()
        yield flood
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


_CHUNK = f"data: {json.dumps({'choices': [{'delta': {'content': 'x' * 1000}}]})}\n\n".encode()
FLOODS = {
    "no line ends": (STREAM, b"x" * (1 << 16), ""),
    "one endless data line": (STREAM, b"data: " + b"x" * (1 << 16), ""),
    "empty lines": (STREAM, b"\n" * (1 << 16), ""),
    "carriage returns": (STREAM, b"\r" * (1 << 16), ""),
    "comments": (STREAM, b": still here\n" * 5000, ""),
    "an answer without end": (STREAM, _CHUNK * 60, ""),
    "gzip as a stream": (STREAM, gzip.compress(b"data: " + b"\0" * (1 << 24)), "gzip"),
    "gzip as a reply": ("application/json", gzip.compress(b" " * (1 << 24)), "gzip"),
    "brotli": (STREAM, b"\x8b" * 4096, "br"),
    "deflate in deflate": (STREAM, b"x" * 4096, "deflate, deflate"),
    "a reply without end": ("application/json", b" " * (1 << 16), ""),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_ends_in_a_sentence_and_little_memory(name: str) -> None:
    content_type, piece, encoding = FLOODS[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with flooding(content_type, piece, encoding=encoding) as flood:
        service = Service(name="near", address=flood.address, model="m")
        with pytest.raises(StudioError, match=r"more than 8 MB|packed reply"):
            streaming.follow(service, HELLO, SAMPLING, lambda event: None, lambda: False)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
    assert grown < 12 * MOST_BYTES, f"{grown >> 20} MB"


@pytest.mark.parametrize("name", ["a reply without end", "gzip as a reply"])
def test_a_flood_of_one_question_is_refused_too(name: str) -> None:
    content_type, piece, encoding = FLOODS[name]

    async def ask() -> None:
        connection = Connection(Service(name="near", address=flood.address, model="m"), 60.0, at_once=1)
        try:
            await connection.ask([{"role": "user", "content": "Hi"}], Sampling())
        finally:
            await connection.close()

    with flooding(content_type, piece, encoding=encoding) as flood:
        with pytest.raises(Busy):
            asyncio.run(ask())


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_nested_replies_are_refused(depth: int) -> None:
    line = b"data: " + b"[" * depth + b"\n\n"
    with flooding(STREAM, line, most=len(line)) as flood:
        service = Service(name="near", address=flood.address, model="m")
        with pytest.raises(StudioError, match="no chat completion"):
            streaming.follow(service, HELLO, SAMPLING, lambda event: None, lambda: False)


def test_a_broken_connection_is_told_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            connection.recv(1 << 16)
            # Closing with a wait of nothing is a reset, an error without words.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        service = Service(name="near", address=f"http://127.0.0.1:{listener.getsockname()[1]}/v1", model="m")
        with pytest.raises(StudioError, match=r"the connection broke \(ReadError\)"):
            streaming.follow(service, HELLO, SAMPLING, lambda event: None, lambda: False)
        thread.join(10)


def test_a_stream_in_single_bytes_is_an_answer_all_the_same() -> None:
    body = b"".join([_CHUNK, b"data: [DONE]\n\n"])
    events: list[streaming.Event] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.recv(1 << 16)
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
                )
                with suppress(OSError):  # The other side leaves as soon as it has read [DONE].
                    for place in range(len(body)):
                        connection.sendall(body[place : place + 1])
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(1 << 16):  # What was not read would be answered by a reset.
                        pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        service = Service(name="near", address=f"http://127.0.0.1:{listener.getsockname()[1]}/v1", model="m")
        streaming.follow(service, HELLO, SAMPLING, events.append, lambda: False)
        thread.join(10)
    assert [event.get("text") for event in events] == ["x" * 1000, None]
