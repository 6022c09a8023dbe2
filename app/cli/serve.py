"""Serving the page."""

from __future__ import annotations

from app.cli.output import bound_home
from studio_core.base import settings
from studio_core.base.studio import open_studio


def serve(host: str | None, port: int | None, browser: bool) -> None:
    """Serve the page until interrupted; imports Gradio, which the other commands do without."""
    from app.server import on_desktop
    from app.server import serve as serve_page

    chosen = settings.load(home=bound_home.get(), host=host, port=port)
    studio = open_studio(chosen)
    try:
        serve_page(studio, chosen.host, chosen.port, browser and on_desktop())
    finally:
        studio.close()
