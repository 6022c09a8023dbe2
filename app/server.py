"""Serves the page: takes the port, starts what belongs to a studio, and runs until interrupted."""

from __future__ import annotations

import gc
import logging
import os
import socket
import sys
import threading
import webbrowser
from typing import TYPE_CHECKING

import uvicorn
from markupsafe import escape

from app.connections import TimedProtocol
from app.log_file import logged_to_file
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.people import accounts, first_address
from studio_core.runs.engine_process import keep_engine
from studio_core.texts import text

if TYPE_CHECKING:
    from fastapi import FastAPI

log = logging.getLogger("tunesmith.web")


def create_app(studio: Studio) -> FastAPI:
    """The web application, once for this process. Imports Gradio, which takes over a second."""
    from app.web import create_app

    made = create_app(studio)
    # What stands now stands until the end. Looked through again by each full collection it held every seventh
    # document up for 230 ms.
    gc.collect()
    gc.freeze()
    return made


def serve(studio: Studio, host: str, port: int, open_browser: bool = False) -> None:
    """Serve the page until interrupted."""
    check_host(studio, host)
    taken = take_port(host, port)  # First of all: a refusal should not wait for imports.
    with logged_to_file(studio.settings):
        server = uvicorn.Server(_config(studio))
        address = address_of(studio, host, port)
        # Daemons: an interrupt ends the page at once, and what they do may be done again.
        threading.Thread(target=prepare, args=(studio,), name="prepare", daemon=True).start()
        threading.Thread(target=keep_engine, args=(studio, threading.Event()), daemon=True).start()
        print(text("shell.serving", address=address, home=studio.settings.home), flush=True)
        if open_browser:
            show(studio, address)
        server.run(sockets=[taken])


def address_of(studio: Studio, host: str, port: int) -> str:
    """Where the page is; with its token, as long as nobody has to sign in."""
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    if accounts.any_accounts(studio) or not studio.settings.local_token:
        return address
    return f"{address}/?token={first_address.token(studio.settings.home)}"


def show(studio: Studio, address: str) -> None:
    """Open the page in the browser of this desktop.

    By way of a file that only its owner can read: what a program is started with, all who use the machine can see.
    """
    leading = studio.settings.home / "open.html"
    first_address.write_private(leading, f'<meta http-equiv="refresh" content="0; url={escape(address)}">')
    webbrowser.open(leading.as_uri())


def on_desktop() -> bool:
    """Whether somebody sits in front of this machine, with a screen on which a browser can be opened."""
    # A service has no terminal, and over SSH the screen is another machine's.
    if not sys.stdout.isatty() or "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform in ("darwin", "win32") or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())


def _config(studio: Studio) -> uvicorn.Config:
    proxies = [address.strip() for address in studio.settings.trusted_proxy.split(",") if address.strip()]
    return uvicorn.Config(
        create_app(studio),
        log_level="warning",
        # Addresses may hold a token or what somebody searched for.
        access_log=False,
        server_header=False,
        ws="none",
        http=TimedProtocol,
        timeout_graceful_shutdown=2,  # Every open page holds a connection.
        # Without a proxy of ours nobody is believed who says for whom they ask, or over what.
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
    )


def prepare(studio: Studio) -> None:
    """Bring in what a studio starts with, and its engine. Runs beside the page, which is there first."""
    from studio_core.data.store import ensure_samples, sweep_uploads
    from studio_core.keeping.deleting import tidy
    from studio_core.models.registry import ensure_demo_models
    from studio_core.runs.engine_process import ensure_engine
    from studio_core.sandbox import warm

    def warm_helper(studio: Studio) -> None:
        warm()

    # From the quick to the slow, each on its own: a sample that fails to
    # import keeps no engine from starting.
    for step in (tidy, sweep_uploads, ensure_demo_models, ensure_samples, ensure_engine, warm_helper):
        try:
            step(studio)
        except Exception:
            log.exception("%s failed", step.__name__)


def check_host(studio: Studio, host: str) -> None:
    """Refuse an address, name or proxy by which others could reach the page as long as nobody has to sign in."""
    if accounts.any_accounts(studio):
        return
    if not accounts.is_loopback(host):
        raise BadInput("shell.host_needs_accounts", host=host)
    if elsewhere := studio.settings.allowed_hosts or studio.settings.trusted_proxy:
        raise BadInput("shell.host_needs_accounts", host=elsewhere)


def take_port(host: str, port: int) -> socket.socket:
    """The bound socket. Refuses a port that is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    # Otherwise a restart would wait a minute for old connections (TIME_WAIT).
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
        # Connections that wait while the server is being built: a browser opens six.
        taken.listen(128)
    except OSError as error:
        taken.close()
        raise BadInput("shell.port_taken", port=port, free=_free_port(host, family)) from error
    return taken


def _free_port(host: str, family: socket.AddressFamily) -> int:
    with socket.socket(family) as probe:
        # Port 0: the system names one that is free, for the sentence.
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
