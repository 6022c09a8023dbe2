"""Reports as files: ``/api/evaluations/<job>/<file>``."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response
from starlette.requests import Request

from app.i18n import language_of
from studio_core.base.errors import NotFound, StudioError
from studio_core.base.studio import Studio
from studio_core.evaluation import files, loading, results
from studio_core.runs import queue

TYPES = {
    "html": "text/html; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "svg": "image/svg+xml",
}


def address(job: int, name: str) -> str:
    return f"/api/evaluations/{job}/{name}"


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    @router.get("/api/evaluations/{job}/{name}")
    def download(job: int, name: str, request: Request) -> Response:
        language = language_of(request)
        try:
            written = _written(studio, job, name, language)
        except StudioError as error:
            return PlainTextResponse(error.sentence(language), status_code=404)
        # As a file to keep: a page of the studio's own address may show nothing that a model wrote.
        attached = {"Content-Disposition": f'attachment; filename="evaluation-{job}-{name}"'}
        return Response(written, media_type=TYPES[name.rpartition(".")[2]], headers=attached)

    return router


def _written(studio: Studio, number: int, name: str, language: str) -> str:
    job = queue.get(studio, number)
    made = loading.of_job(studio, job, language) if job.kind == "evaluate" else None
    if made is None:
        raise NotFound("evaluation.no_results", job=number, state=job.state)
    items = (
        loading.results_of(studio, results.of_job(studio, number), language) if name == "items.csv" else ()
    )
    written = files.files(made, language, items)
    if name not in written:
        raise NotFound("evaluation.no_file", name=name[:40], known=", ".join(written))
    return written[name]
