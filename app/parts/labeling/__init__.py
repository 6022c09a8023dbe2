"""The sections of a labelling project's page, one file each: ``NAME`` (its tab is ``labeling.tab_<name>``),
``ROLES`` and ``build(studio, tab)``, called inside the tab. A section fills itself when the page is opened
at it (``asked_for``) and when its tab is chosen (``tab.select``).

Every handler of the page is an address of its own: what is not for annotators says ``@only(STAFF)``. What
runs whenever the page is opened cannot say so, and asks ``asked_for``.
"""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.i18n import I18nData

from app.access import current_user
from app.i18n import combined, t
from studio_core.base.errors import NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import LabelProject
from studio_core.labeling import projects
from studio_core.labeling.rounds import learners
from studio_core.people.accounts import Role


def opened(studio: Studio, request: gr.Request) -> LabelProject:
    """The project that the page's address names; raises ``NotFound``."""
    asked = str(request.query_params.get("project", ""))[:80]
    if not asked:
        raise NotFound("labeling.no_project", project="")
    return projects.get(studio, asked)


def asked_for(request: gr.Request, section: str, roles: frozenset[Role]) -> bool:
    """Whether the page was opened at this section of a project, by somebody for whom it is."""
    asked = request.query_params
    named = bool(asked.get("project")) and asked.get("section") == section
    return named and current_user(request).role in roles


def for_learners(key: str, export: str) -> I18nData:
    """The text ``key`` with the methods that learn from votes exported so: ``preference pairs · DPO, Reward model``."""
    titles = [method.title_key for method in learners(export)]
    return combined(f"{{}} · {', '.join(['{}'] * len(titles))}", key, *titles) if titles else t(key)


def annotator(request: Any) -> str:
    """The name under which somebody judges: that of their account."""
    return current_user(request).name or "me"
