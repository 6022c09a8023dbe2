"""What the page and the accounts did, in ``logs/web.log``."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from studio_core.settings import Settings

_WRITTEN = ("tunesmith", "uvicorn.error")


@contextmanager
def logged_to_file(settings: Settings) -> Iterator[None]:
    """Write what happens meanwhile to the log. Of accounts all is kept, of other things what went wrong."""
    handler = logging.FileHandler(settings.logs / "web.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    for name in _WRITTEN:
        logging.getLogger(name).addHandler(handler)
    logging.getLogger("tunesmith.accounts").setLevel(logging.INFO)
    try:
        yield
    finally:
        for name in _WRITTEN:
            logging.getLogger(name).removeHandler(handler)
        handler.close()
