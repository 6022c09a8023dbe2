"""The running application with a browser of everybody at its door, and handlers that only note who reached them."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio.blocks import BlockFunction, Blocks
from gradio.context import LocalContext
from starlette.testclient import TestClient

import app.sessions
import app.shares
import app.web
from app.access import Access
from studio_core.base.studio import open_studio
from studio_core.models import registry
from studio_core.runs import engine_process
from tests.people import NAMES, PASSWORD, add_all

HOST = "http://127.0.0.1:7860"
ANNOTATOR, TRAINER, ADMINISTRATOR = "annotator", "trainer", "administrator"
EVERYBODY = {"nobody", ANNOTATOR, TRAINER, ADMINISTRATOR}
"""The kinds of visitors; one of them has not signed in."""


class Visitor:
    """Somebody's browser; all share one server, since Gradio's queue lives in one event loop."""

    def __init__(self, client: TestClient) -> None:
        self.client, self.cookie = client, ""

    def request(self, method: str, path: str, **more: Any) -> Any:
        headers = {
            "origin": HOST,
            **({"cookie": self.cookie} if self.cookie else {}),
            **more.pop("headers", {}),
        }
        return self.client.request(method, path, headers=headers, follow_redirects=False, **more)

    def get(self, path: str, **more: Any) -> Any:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> Any:
        return self.request("POST", path, **more)


@dataclass
class House:
    """The application, and one browser for each kind of visitor."""

    application: Any
    demo: Blocks
    access: Access
    visitors: dict[str, Visitor]
    ran: set[tuple[int, str]]
    """Which handler was run, and in whose session."""


@contextmanager
def open_house(home: Path) -> Iterator[House]:
    with closing(open_studio(home=home)) as studio, pytest.MonkeyPatch.context() as patch:
        registry.ensure_demo_models(studio)
        add_all(studio)
        patch.setattr(engine_process, "_PATIENCE", 0.0)
        # These visitors call everything, and listen to nothing.
        for name in ("STAFFS", "ANNOTATORS"):
            share = getattr(app.shares, name)
            patch.setattr(app.shares, name, replace(share, burst=10**6))
        patch.setattr(app.sessions, "EVENTS", 1e6)
        patch.setattr(engine_process.subprocess, "Popen", lambda *_, **__: _NoProcess())
        seen: dict[str, Any] = {}
        learn = Access.learn

        def learning(self: Access, demo: Blocks) -> None:
            seen.update(access=self, demo=demo)
            learn(self, demo)

        patch.setattr(Access, "learn", learning)
        application = app.web.create_app(studio)
        ran: set[tuple[int, str]] = set()
        for fn in seen["demo"].fns.values():
            _count_instead(fn, ran)
        with TestClient(application, base_url=HOST) as client:
            visitors = {kind: Visitor(client) for kind in EVERYBODY}
            for role, name in NAMES.items():
                form = {"name": name, "password": PASSWORD}
                signed_in = visitors[role].post("/sign-in", data=form)
                assert signed_in.status_code == 303, signed_in.text
                visitors[role].cookie = signed_in.headers["set-cookie"].partition(";")[0]
                client.cookies.clear()
            assert visitors[ANNOTATOR].get("/gradio_api/startup-events").status_code == 200
            yield House(application, seen["demo"], seen["access"], visitors, ran)


def _count_instead(fn: BlockFunction, ran: set[tuple[int, str]]) -> None:
    """Replace what a handler does by a note that it was reached."""
    if fn.fn is not None:

        @functools.wraps(fn.fn)
        def noted(*_: Any, **__: Any) -> Any:
            session = LocalContext.request.get().session_hash
            if session is not None:  # Else its page's document was made, which is the page's own right.
                ran.add((fn._id, session))
            raise gr.Error("reached", print_exception=False)

        fn.fn = noted


class _NoProcess:
    def poll(self) -> int:
        return 1
