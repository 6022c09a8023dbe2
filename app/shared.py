"""A link to one run: a page without an account, without Gradio and with nothing to press. Revoked at any time."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app import door
from app.access import PUBLIC, Access
from app.buckets import Bucket
from app.guard import Refused, client_of
from app.parts import shared_view
from studio_core.base.studio import Studio
from studio_core.notices import links

BURST, PER_SECOND = 30, 1
"""Requests of one address: some pages that refresh themselves every few seconds, and no search for tokens."""


class SharedRuns:
    """The route of one studio."""

    def __init__(self, studio: Studio, access: Access) -> None:
        self.studio, self.access = studio, access
        self.pace = Bucket(BURST, PER_SECOND)

    def add_to(self, application: Any) -> None:
        router = APIRouter()
        router.get("/shared/{token}")(self.show)
        application.include_router(self.access.add(router, PUBLIC))

    def show(self, request: Request, token: str) -> Response:
        if not self.pace.take(client_of(request.scope)):
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "shell.refused_often")
        known = links.opened(self.studio, token)
        # Wrong, revoked, deleted: nobody learns which of them.
        if known is None:
            raise Refused(HTTPStatus.NOT_FOUND, "shell.refused_path")
        link, job = known
        language = door.language_for(request)
        response = door.page(
            request,
            "shared",
            HTTPStatus.OK,
            name=f"{job.id} · {job.name}",
            shown=shared_view.shown(self.studio, link, job, language),
            answers=shared_view.answers(self.studio, link, job, language),
            charts=json.loads(shared_view.charts_of(self.studio, job, language)),
            over=shared_view.over(job),
        )
        response.headers["X-Robots-Tag"] = "noindex, nofollow"
        return response
