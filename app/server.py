"""Serves the page: takes the port, starts what belongs to a studio, and runs until interrupted."""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
import webbrowser
from typing import TYPE_CHECKING

import uvicorn

from studio_core.engine_process import keep_engine
from studio_core.errors import BadInput
from studio_core.studio import Studio
from studio_core.texts import text

if TYPE_CHECKING:
    from fastapi import FastAPI

log = logging.getLogger("tunesmith.web")


def create_app(studio: Studio) -> FastAPI:
    """The web application. Imports Gradio, which takes over a second."""
    from app.web import create_app

    return create_app(studio)


def serve(studio: Studio, host: str, port: int, open_browser: bool = False) -> None:
    """Serve the page until interrupted."""
    taken = take_port(host, port)  # First of all: a refusal should not wait for imports.
    _log_to_file(studio)
    config = uvicorn.Config(
        create_app(studio),
        log_level="warning",
        access_log=False,
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=2,  # Every open page holds a connection.
    )
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    threading.Thread(target=prepare, args=(studio,), name="prepare", daemon=True).start()
    threading.Thread(target=keep_engine, args=(studio, threading.Event()), daemon=True).start()
    print(text("shell.serving", address=address, home=studio.settings.home), flush=True)
    if open_browser:
        webbrowser.open(address)
    uvicorn.Server(config).run(sockets=[taken])


def prepare(studio: Studio) -> None:
    """Bring in what a studio starts with, and its engine. Runs beside the page, which is there first."""
    from studio_core.data.store import ensure_samples, sweep_uploads
    from studio_core.engine_process import ensure_engine
    from studio_core.models.registry import ensure_demo_models

    for step in (sweep_uploads, ensure_demo_models, ensure_samples, ensure_engine):
        try:
            step(studio)
        except Exception:
            log.exception("%s failed", step.__name__)


def take_port(host: str, port: int) -> socket.socket:
    """The bound socket. Refuses addresses that others could reach, and a port that is taken."""
    if not is_loopback(host):
        raise BadInput("shell.host_needs_accounts", host=host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
        taken.listen(128)
    except OSError as error:
        taken.close()
        raise BadInput("shell.port_taken", port=port, free=_free_port(host, family)) from error
    return taken


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _free_port(host: str, family: socket.AddressFamily) -> int:
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _log_to_file(studio: Studio) -> None:
    handler = logging.FileHandler(studio.settings.logs / "web.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.getLogger("tunesmith").addHandler(handler)
    logging.getLogger("uvicorn.error").addHandler(handler)
