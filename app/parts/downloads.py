"""Datasets as files: ``/api/datasets/<id>/<format>``."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from urllib.parse import urlencode

from fastapi import APIRouter
from fastapi.responses import FileResponse, PlainTextResponse, Response
from starlette.background import BackgroundTask
from starlette.requests import Request

from app.i18n import language_of
from studio_core.base.errors import StudioError
from studio_core.base.studio import Studio
from studio_core.data import outgoing, versions


def address(id: int, format: str, layout: str, *, skip: bool = False, card: bool = False) -> str:
    """Where an export is fetched; ``skip`` leaves out what does not fit, ``card`` adds the card, in a zip."""
    more = {"layout": layout, **({"skip": "1"} if skip else {}), **({"card": "1"} if card else {})}
    return f"/api/datasets/{id}/{format}?{urlencode(more)}"


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    @router.get("/api/datasets/{id}/{format}")
    def download(id: int, format: str, request: Request) -> Response:
        asked = request.query_params
        layout, card = asked.get("layout", "trl"), asked.get("card") == "1"
        try:
            dataset = versions.get(studio, id)
            descriptor, name = tempfile.mkstemp(suffix=".export", dir=studio.settings.uploads)
            os.close(descriptor)
            path = Path(name)
            try:
                outgoing.export(
                    studio, dataset, path, format, layout=layout, skip=asked.get("skip") == "1", card=card
                )
            except BaseException:
                path.unlink(missing_ok=True)
                raise
        except StudioError as error:
            return PlainTextResponse(error.sentence(language_of(request)), status_code=404)
        return FileResponse(
            path,
            filename=outgoing.file_name(dataset, format, layout) + (".zip" if card else ""),
            media_type="application/octet-stream",
            background=BackgroundTask(path.unlink, missing_ok=True),
        )

    return router
