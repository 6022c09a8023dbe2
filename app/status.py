"""Two small routes: is the page alive, and what is the queue doing."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from app.i18n import language_of, say
from studio_core.base.about import studio_version
from studio_core.base.states import LIVE, State
from studio_core.base.studio import Studio
from studio_core.runs import queue


def health() -> APIRouter:
    """For everybody: it says no more than that something is there."""
    router = APIRouter()

    @router.get("/health")
    def health() -> dict[str, Any]:
        return {"ok": True, "version": studio_version()}

    return router


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    @router.get("/api/status")
    def status(request: Request) -> dict[str, Any]:
        # The chat worker is no one's training: it does not count as work.
        counted = queue.counts(studio, "train")
        running, queued = sum(counted.get(state, 0) for state in LIVE), counted.get(State.QUEUED, 0)
        language = language_of(request)
        parts = [
            say(f"shell.status_{name}", language, n=n)
            for name, n in (("running", running), ("queued", queued))
            if n
        ]
        text = say("shell.comma", language).join(parts) or say("shell.status_idle", language)
        return {"running": running, "queued": queued, "text": text}

    return router
