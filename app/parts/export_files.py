"""Files of exports, in whole or in part: ``/api/exports/<job>/files/<name>`` and ``/api/exports/<job>/archive``.

A download that broke off goes on with ``Range``; ``ETag`` is the hash of what is fetched.
"""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.requests import Request

from app.i18n import language_of
from studio_core.base.errors import StudioError
from studio_core.base.studio import Studio
from studio_core.exports import results
from studio_core.exports.archive import Archive, archive
from studio_core.exports.manifest import Manifest
from studio_core.exports.submitting import file_name

_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})")
"""One part; what asks for several gets the whole, which is allowed."""
_AS_IT_IS = {"Content-Encoding": "identity"}
"""Never packed on the way: weights do not pack, and a part of packed bytes would be another part."""


def address(job: int, name: str) -> str:
    return f"/api/exports/{job}/files/{quote(name, safe='')}"


def archive_address(job: int) -> str:
    return f"/api/exports/{job}/archive"


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    @router.get("/api/exports/{job}/files/{name}")
    def download(job: int, name: str, request: Request) -> Response:
        try:
            path = results.file_of(studio, job, name)
        except StudioError as error:
            return PlainTextResponse(error.sentence(language_of(request)), status_code=404)
        return FileResponse(path, filename=name, media_type="application/octet-stream", headers=_AS_IT_IS)

    @router.get("/api/exports/{job}/archive")
    def everything(job: int, request: Request) -> Response:
        try:
            row, manifest = results.get(studio, job)
            for name in manifest.files:
                results.file_of(studio, job, name)
        except StudioError as error:
            return PlainTextResponse(error.sentence(language_of(request)), status_code=404)
        name = f"{file_name(manifest.model)}-{manifest.format}"
        return _ranged(
            archive(results.folder_of(row), name, manifest.files), f"{name}.zip", _etag(manifest), request
        )

    return router


def _etag(manifest: Manifest) -> str:
    files = sorted((name, file.sha256) for name, file in manifest.files.items())
    return f'"{hashlib.sha256(repr(files).encode()).hexdigest()[:32]}"'


def _ranged(packed: Archive, name: str, etag: str, request: Request) -> Response:
    """The archive, or the part of it that is asked for."""
    start, end = 0, packed.size
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Content-Disposition": f'attachment; filename="{name}"',
        **_AS_IT_IS,
    }
    asked = _RANGE.fullmatch(request.headers.get("range", ""))
    # Of files that have changed the beginning is of no use any more.
    fresh = request.headers.get("if-range", etag) == etag
    if asked and fresh:
        start, end = int(asked[1]), min(int(asked[2] or packed.size) + 1, packed.size)
        if start >= end:
            headers["Content-Range"] = f"bytes */{packed.size}"
            return Response(status_code=416, headers=headers)
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{packed.size}"
    headers["Content-Length"] = str(end - start)
    return StreamingResponse(
        packed.read(start, end),
        status_code=206 if asked and fresh else 200,
        media_type="application/zip",
        headers=headers,
    )
