"""Disagreements, for those who may have the last word: JSON for ``static/js/label_cases.js``.

GET  /api/label/{project}/cases                     ids of items: ``open`` and ``decided``
GET  /api/label/{project}/cases/{item}              one with all votes on it
POST /api/label/{project}/decide      {"item", "verdict", ...}   the last word
POST /api/label/{project}/reconsider  {"item"}      take it back
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.requests import Request

from app.access import STAFF, only
from app.parts.labeling.api import Cast, One, answered
from app.parts.markdown import rendered
from studio_core.base.studio import Studio
from studio_core.base.tables import Annotation
from studio_core.labeling import adjudication
from studio_core.labeling.projects import settings_of
from studio_core.labeling.votes import Verdict, draft_of
from studio_core.labeling.words import difference

MOST = 1000
"""Ids that are sent; the rest follows when these are decided."""


def add(router: APIRouter, studio: Studio) -> None:
    @router.get("/api/label/{project}/cases")
    @only(STAFF)
    def cases(project: int, request: Request) -> Response:
        def act(_: str) -> dict[str, Any]:
            open_, decided = adjudication.disagreements(studio, project)
            return {"open": open_[:MOST], "decided": decided[-MOST:]}

        return answered(request, act)

    @router.get("/api/label/{project}/cases/{item}")
    @only(STAFF)
    def case(project: int, item: int, request: Request) -> Response:
        return answered(request, lambda who: _case(adjudication.case(studio, project, item, who)))

    @router.post("/api/label/{project}/decide")
    @only(STAFF)
    def decide(project: int, cast: Cast, request: Request) -> Response:
        def act(who: str) -> dict[str, Any]:
            verdict = Verdict(**cast.model_dump(exclude={"item"}))
            adjudication.decide(studio, project, who, cast.item, verdict)
            return {}

        return answered(request, act)

    @router.post("/api/label/{project}/reconsider")
    @only(STAFF)
    def reconsider(project: int, asked: One, request: Request) -> Response:
        def act(_: str) -> dict[str, Any]:
            adjudication.reconsider(studio, project, asked.item)
            return {}

        return answered(request, act)


def _case(case: adjudication.Case) -> dict[str, Any]:
    """The answers in their own order, whatever sides people saw them on."""
    blind = settings_of(case.project).blind and case.decision is None
    texts = [answer["text"] for answer in case.item.answers]
    form = case.decision or case.earlier
    return {
        "id": case.item.id,
        "number": case.item.number,
        "state": "submitted" if case.decision else "pending",
        "prompt": case.item.prompt,
        "answers": [
            {
                "text": answer["text"],
                "html": rendered(answer["text"]),
                "source": "" if blind else answer["source"],
            }
            for answer in case.item.answers
        ],
        "differences": difference(*texts) if len(texts) == 2 else None,
        "votes": [{"who": vote.annotator, **_vote(vote)} for vote in case.votes],
        "draft": _vote(form) if form else {},
        "decided_by": case.decision.annotator if case.decision else "",
    }


def _vote(vote: Annotation) -> dict[str, Any]:
    """A vote as if its answers had been shown in their own order."""
    own = Annotation(
        verdict=vote.verdict,
        value=vote.value,
        reasons=vote.reasons,
        comment=vote.comment,
        order=sorted(vote.order),
    )
    return draft_of(own)
