"""Where notices arrive in tests: a small HTTP server and a small SMTP server on loopback, both real."""

from __future__ import annotations

import json
import socketserver
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast


@dataclass
class Hook:
    """A receiver of webhooks; answers with ``statuses`` one after another, then with 200."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    """Headers, in lower case, and body of each request."""

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


@contextmanager
def hook(*statuses: int, location: str = "") -> Iterator[Hook]:
    receiver = Hook(statuses=list(statuses))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            return

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        receiver.url = f"http://127.0.0.1:{port}/hook?key=abc"
        yield receiver


@dataclass
class Mailbox:
    """A mail server that takes everything but mail to ``refused``."""

    port: int = 0
    refused: str = ""
    password: str = ""
    got: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    encrypted: int = 0
    """Connections whose client took our certificate."""


@contextmanager
def mailbox(security: str = "none", context: ssl.SSLContext | None = None) -> Iterator[Mailbox]:
    """With ``tls`` encrypted from the first byte, with ``starttls`` once the client asks; both with ``context``."""
    box = Mailbox()

    class Handler(socketserver.StreamRequestHandler):
        def setup(self) -> None:
            if security == "tls":
                self.encrypt()
            super().setup()

        def finish(self) -> None:
            super().finish()
            self.request.close()  # The server closes the one that was accepted, not the one that encrypts.

        def encrypt(self) -> None:
            assert context is not None
            self.request = context.wrap_socket(self.request, server_side=True)
            box.encrypted += 1

        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            self.say("220 box")
            while line := self.rfile.readline().decode().strip():
                verb = line[:4].upper()
                if verb == "EHLO":
                    offers = b"250-STARTTLS\r\n" if security == "starttls" else b""
                    self.wfile.write(b"250-box\r\n" + offers + b"250 AUTH PLAIN\r\n")
                elif verb == "STAR" and security == "starttls":
                    self.say("220 go on")
                    self.encrypt()
                    super().setup()
                elif verb == "AUTH":
                    box.logins.append(line)
                    self.say("235 in")
                elif verb == "RCPT":
                    address = line.partition("<")[2].partition(">")[0]
                    box.recipients.append(address)
                    self.say("550 nobody" if address == box.refused else "250 ok")
                elif verb == "DATA":
                    self.say("354 go on")
                    lines = []
                    while (part := self.rfile.readline()) != b".\r\n":
                        lines.append(part)
                    parsed = message_from_bytes(b"".join(lines), policy=policy.default)
                    box.got.append(cast(EmailMessage, parsed))
                    self.say("250 taken")
                elif verb == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok" if verb in ("MAIL", "RSET", "NOOP") else "502 no")

    class Server(socketserver.ThreadingTCPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that does not trust the certificate hangs up."""
            if not isinstance(sys.exc_info()[1], ssl.SSLError | ConnectionError):
                super().handle_error(request, client_address)

    server = Server(("127.0.0.1", 0), Handler)
    with _serving(server) as box.port:
        yield box


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    server.daemon_threads = True  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]  # type: ignore[misc]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
