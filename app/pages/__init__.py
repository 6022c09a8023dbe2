"""The pages, in the order of the loop.

A page is a module with ``NAME`` (also of its texts ``shell.nav_<name>`` and of its
``static/css/<name>.css``), ``PATH`` and ``build(studio)``, which is called inside the
page's own Gradio context. Our own HTML goes into ``parts.html.panel``, and a page's
style sheet is nested in ``#ts-content { }``, so that Gradio's styles do not win.
A page that is not in the navigation says with ``WITHIN`` under which of the others it belongs.
``ROLES`` says whom a page, its handlers and its routes are for (``app.access``; without it,
trainers and administrators).
A page that needs plain HTTP (streaming, downloads) also has
``routes(studio) -> APIRouter``; its routes live below ``/api/``.
"""

from __future__ import annotations

from types import ModuleType

from app.pages import (
    arena,
    chat,
    chats,
    data,
    dataset,
    evaluate,
    export,
    home,
    label,
    models,
    notices,
    runs,
    settings,
    storage,
    train,
    users,
)

PAGES: tuple[ModuleType, ...] = (
    home,
    data,
    label,
    train,
    runs,
    evaluate,
    chat,
    arena,
    models,
    users,
    settings,
    dataset,
    storage,
    export,
    chats,
    notices,
)
