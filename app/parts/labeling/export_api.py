"""Votes as files: ``GET /api/label/{project}/export/{shape}?min_votes=&min_agreement=``."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, PlainTextResponse, Response
from starlette.background import BackgroundTask
from starlette.requests import Request

from app.access import STAFF, only
from app.i18n import language_of
from studio_core.base.errors import StudioError
from studio_core.base.studio import Studio
from studio_core.labeling import exports, projects


def add(router: APIRouter, studio: Studio) -> None:
    @router.get("/api/label/{project}/export/{shape}")
    @only(STAFF)
    def export(
        project: int,
        shape: str,
        request: Request,
        min_votes: int = Query(1, ge=1, le=20),
        min_agreement: float = Query(0.0, ge=0, le=1),
    ) -> Response:
        descriptor, name = tempfile.mkstemp(suffix=".export", dir=studio.settings.uploads)
        os.close(descriptor)
        path = Path(name)
        try:
            one = projects.get(studio, project)
            exports.write(studio, one.id, shape, path, min_votes=min_votes, min_agreement=min_agreement)
        except StudioError as error:
            path.unlink(missing_ok=True)
            return PlainTextResponse(error.sentence(language_of(request)), status_code=404)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return FileResponse(
            path,
            filename=f"{one.name}-{shape}.jsonl",
            media_type="application/octet-stream",
            background=BackgroundTask(path.unlink, missing_ok=True),
        )
