"""The sections of a dataset's page, one file each: ``NAME`` (its tab is ``dataset.tab_<name>``) and
``build(studio, tab)``, called inside the tab. A section fills itself when the page is opened or, if
that is work, when its tab is chosen (``tab.select``).
"""

from __future__ import annotations

import gradio as gr

from studio_core.base.errors import NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.data import versions as known_versions  # "versions" is a section of this package.


def opened(studio: Studio, request: gr.Request) -> Dataset:
    """The version that the page's address names; raises ``NotFound``."""
    asked = str(request.query_params.get("id", ""))[:200]
    if not asked:
        raise NotFound("data.dataset_not_found", dataset="")
    number = asked.isascii() and asked.isdigit() and len(asked) < 16
    return known_versions.get(studio, int(asked) if number else asked)
