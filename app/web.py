"""The FastAPI application: our own routes, Gradio with all pages mounted in it, and the guard around both."""

from __future__ import annotations

import asyncio
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from gradio.routes import App
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from app import document, inputs, mounting, opening, sessions, status
from app.access import STAFF, Access, roles_of
from app.access import install as install_access
from app.account import AccountPages
from app.files import StudioFiles
from app.gate import Gate
from app.guard import Guard
from app.i18n import translations
from app.pages import PAGES
from app.refused import answer_invalid_request
from app.shared import SharedRuns
from app.shares import Shares
from app.sign_in import SignInPages
from app.theme import theme
from studio_core.base.studio import Studio


def create_app(studio: Studio) -> FastAPI:
    """The whole web application for one studio."""
    # Before any component is made: what Gradio stores lies in the data folder, and not readable in /tmp.
    os.environ["GRADIO_TEMP_DIR"] = str(studio.settings.uploads)
    access = Access(PAGES)
    install_access()
    sessions.install()
    inputs.install()
    opening.install()
    mounting.install()
    opened = sessions.Sessions()

    api = FastAPI(title="Tunesmith", docs_url=None, redoc_url=None, openapi_url=None)
    api.add_exception_handler(RequestValidationError, answer_invalid_request)
    api.mount("/static", StudioFiles())
    api.include_router(status.health())
    SignInPages(studio, access).add_to(api)
    AccountPages(studio, access).add_to(api)
    SharedRuns(studio, access).add_to(api)
    api.include_router(access.add(status.routes(studio), STAFF))
    for page in PAGES:
        if hasattr(page, "routes"):
            api.include_router(access.add(page.routes(studio), roles_of(page)))
    # Below 2 KB packing gains nothing to speak of; level 5 is a judgement between time and bytes.
    api.add_middleware(GZipMiddleware, minimum_size=2_000, compresslevel=5)
    # With a policy in the parent, Gradio adds none of its own, which would reflect any origin.
    api.add_middleware(CORSMiddleware, allow_origins=[])
    # From the inside out: the last that is added is asked first. Guard, then Gate, then Shares.
    api.add_middleware(Shares, sessions=opened, pages=access.pages)
    api.add_middleware(Gate, studio=studio, access=access)
    api.add_middleware(Guard, settings=studio.settings)
    # Gradio makes itself an event loop for each lock, and never closes it, unless one is running.
    return asyncio.run(_mount(api, studio, access, opened))


async def _mount(api: FastAPI, studio: Studio, access: Access, opened: sessions.Sessions) -> FastAPI:
    demo = draw(studio)
    access.learn(demo)
    opened.learn(demo)
    pages = [(page.NAME, page.PATH, getattr(page, "WITHIN", page.NAME)) for page in PAGES]
    document.install(demo, pages, access)
    with warnings.catch_warnings():
        # Said of any application with several pages, also when it was not asked for.
        warnings.filterwarnings("ignore", "SSR mode is not supported", UserWarning)
        return gr.mount_gradio_app(
            api,
            demo,
            path="/",
            theme=theme(),
            i18n=translations(),
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            show_error=False,
            ssr_mode=False,
            mcp_server=False,
            pwa=False,
        )


def draw(studio: Studio) -> gr.Blocks:
    """All pages as one ``Blocks``: the first is its own, the others are its routes."""
    with _unfinished():
        # Seconds: looked at every hour, removed after a day.
        with gr.Blocks(analytics_enabled=False, delete_cache=(3600, 86400), fill_width=True) as demo:
            opening.place(demo)
            PAGES[0].build(studio)
        for page in PAGES[1:]:
            with demo.route(page.NAME, page.PATH, show_in_navbar=False):
                opening.place(demo)
                page.build(studio)
        # Four handlers at once: more would only share the cores, and the
        # database has one writer. A hundred may wait, whoever sent them.
        demo.queue(max_size=100, default_concurrency_limit=4, api_open=False)
    return demo


@contextmanager
def _unfinished() -> Iterator[None]:
    """Gradio describes all components so far and builds a whole application at the end of every page, which takes two
    thirds of a start. What is mounted at the end is enough."""
    application, description = App.create_app, gr.Blocks.get_config_file
    App.create_app = staticmethod(lambda *args, **kwargs: None)
    gr.Blocks.get_config_file = lambda self: {}
    try:
        yield
    finally:
        App.create_app, gr.Blocks.get_config_file = application, description
