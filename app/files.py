"""Our css, js, fonts and pictures, and Gradio's, under ``/static``: compressed and kept by browsers."""

from __future__ import annotations

import gzip
import hashlib
import os
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app.gradio_assets import FRONTEND
from studio_core.base.settings import bundled_folder

PLOTLY = "js/plotly.min.js"
_PUBLIC = ("css", "js", "fonts", "img")
_TEXT = {".css", ".js", ".svg", ".json"}
# A year, and never asked again: the address changes with the file.
_YEAR = "public, max-age=31536000, immutable"


@cache
def asset(name: str) -> str:
    """Address of a file below ``static/``; it changes with the file, so browsers may keep it for ever."""
    content = _source(name).read_bytes()
    # 48 bits of the hash: two versions of one file never meet.
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


def mounts(script: str, *given: str) -> str:
    """JavaScript for ``js_on_load`` that calls ``mount(element, *given)`` of one of ``static/js`` once it is here.

    Clicks on the part's buttons until then are not lost (``static/js/early.js``).
    """
    call = ", ".join(("element", *given))
    return f"window.tunesmith.mounts(element, import('{asset(script)}').then((m) => m.mount({call})))"


def _source(name: str) -> Path:
    if name == PLOTLY:  # It comes with plotly.py and is not copied into the repository.
        return Path(str(distribution("plotly").locate_file("plotly/package_data/plotly.min.js")))
    return bundled_folder() / name


@cache
def _gzip_of(path: str, changed: float) -> bytes:
    # Once for each file: 6 is where more time hardly gives fewer bytes; without a time, the same bytes.
    return gzip.compress(Path(path).read_bytes(), compresslevel=6, mtime=0)


class StudioFiles(StaticFiles):
    """``static/`` (without the models and samples in it), then Gradio's own static files."""

    def __init__(self) -> None:
        super().__init__(directory=bundled_folder())
        self.all_directories = [bundled_folder(), FRONTEND / "static"]

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        if path == PLOTLY:
            source = _source(PLOTLY)
            return str(source), source.stat()
        # Models and samples lie below ``static/`` as well, and are no business of a browser.
        if path.partition("/")[0] not in _PUBLIC and Path(path).suffix not in {".svg", ".png", ".ico"}:
            return "", None
        return super().lookup_path(path)

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        versioned = scope["query_string"].startswith(b"v=")
        # Without a version the browser asks each time whether it has changed.
        response.headers["Cache-Control"] = _YEAR if versioned else "no-cache"
        if response.status_code == 200 and Path(full_path).suffix in _TEXT:
            response.headers["Vary"] = "Accept-Encoding"
            if "gzip" in Headers(scope=scope).get("accept-encoding", ""):
                kept = {k: v for k, v in response.headers.items() if k != "content-length"}
                body = _gzip_of(str(full_path), stat_result.st_mtime)
                return Response(body, headers={**kept, "Content-Encoding": "gzip"})
        return response
