"""The labelling screen's own requests: small JSON documents, so that a key press is answered at once.

GET  /api/label/{project}/next                          what is to be judged now
POST /api/label/{project}/vote     {"item", "verdict", ...}   the same, after a verdict
POST /api/label/{project}/undo                          the newest action undone: its item, as it was left
POST /api/label/{project}/reopen   {"item"}             one that was judged or skipped, to change that
POST /api/label/{project}/release  {"item"}             the next one; what was said of this one stands
POST /api/label/{project}/withdraw {"item"}             the next one; what was said of this one is taken back
POST /api/label/{project}/draft    {"item", "draft"}    keep what was entered
GET  /api/label/{project}/difference/{item}             what the two answers do not share
GET  /api/label/{project}/guidelines?since=             the guidelines, and what changed in them
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from app.i18n import language_of
from app.parts.labeling import annotator, guide
from app.parts.markdown import rendered
from studio_core.base.errors import Conflict, NotFound, StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import Annotation, LabelItem, LabelProject
from studio_core.labeling import assignment, making, progress, projects, undoing, votes
from studio_core.labeling.assignment import Showing
from studio_core.labeling.votes import Verdict
from studio_core.labeling.words import difference


class Entered(BaseModel):
    """What is entered on the screen, whether or not it is submitted; places count from the left."""

    model_config = ConfigDict(extra="forbid")

    strength: str = Field(default="", max_length=20)
    ranking: list[int] = Field(default_factory=list, max_length=8)
    edits: dict[int, str] = Field(default_factory=dict, max_length=8)
    reasons: list[str] = Field(default_factory=list, max_length=12)
    comment: str = ""


class Cast(Entered):
    item: int = Field(ge=1, lt=2**62)
    verdict: str = Field(max_length=20)
    rating: int | None = Field(default=None, ge=0, le=100)


class One(BaseModel):
    model_config = ConfigDict(extra="forbid")

    item: int = Field(ge=1, lt=2**62)


class Draft(BaseModel):
    model_config = ConfigDict(extra="forbid")

    item: int = Field(ge=1, lt=2**62)
    draft: Entered


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    @router.get("/api/label/{project}/next")
    def next_(project: int, request: Request) -> Response:
        return answered(request, lambda who: _next(studio, project, who))

    @router.post("/api/label/{project}/vote")
    def vote(project: int, cast: Cast, request: Request) -> Response:
        return answered(request, lambda who: _voted(studio, project, who, cast))

    @router.post("/api/label/{project}/undo")
    def undo(project: int, request: Request) -> Response:
        return answered(
            request, lambda who: _document(studio, project, who, undoing.undo(studio, project, who))
        )

    @router.post("/api/label/{project}/reopen")
    def reopen(project: int, asked: One, request: Request) -> Response:
        return answered(
            request,
            lambda who: _document(studio, project, who, undoing.reopen(studio, project, who, asked.item)),
        )

    @router.post("/api/label/{project}/release")
    def release(project: int, asked: One, request: Request) -> Response:
        def act(who: str) -> dict[str, Any]:
            assignment.release(studio, asked.item, who)
            return _next(studio, project, who)

        return answered(request, act)

    @router.post("/api/label/{project}/withdraw")
    def withdraw(project: int, asked: One, request: Request) -> Response:
        def act(who: str) -> dict[str, Any]:
            undoing.withdraw(studio, project, who, asked.item)
            return _next(studio, project, who)

        return answered(request, act)

    @router.post("/api/label/{project}/draft")
    def draft(project: int, draft_: Draft, request: Request) -> Response:
        def act(who: str) -> dict[str, Any]:
            assignment.save_draft(studio, draft_.item, who, draft_.draft.model_dump(exclude_unset=True))
            return {}

        return answered(request, act)

    @router.get("/api/label/{project}/difference/{item}")
    def differences(project: int, item: int, request: Request) -> Response:
        def act(who: str) -> dict[str, Any]:
            texts = [answer["text"] for answer in assignment.showing(studio, item, who).answers]
            return {"differences": difference(*texts) if len(texts) == 2 else None}

        return answered(request, act)

    @router.get("/api/label/{project}/guidelines")
    def guidelines(project: int, request: Request, since: int = 0) -> Response:
        def act(_: str) -> dict[str, Any]:
            shown = guide.shown(studio, project, since)
            return {"version": shown.version, "html": shown.html, "changes": shown.changes}

        return answered(request, act)

    return router


def answered(request: Request, act: Callable[[str], dict[str, Any]]) -> Response:
    """What ``act`` gives for the person who asks, or the sentence that says why not."""
    try:
        return JSONResponse(act(annotator(request)))
    except StudioError as error:
        # ``gone``: the item is no longer before this annotator, and nothing that they enter makes it so.
        gone = isinstance(error, NotFound | Conflict)
        return JSONResponse({"error": error.sentence(language_of(request)), "gone": gone}, status_code=409)


def _next(studio: Studio, project: int, who: str) -> dict[str, Any]:
    return _document(studio, project, who, assignment.next_item(studio, project, who))


def _voted(studio: Studio, project: int, who: str, cast: Cast) -> dict[str, Any]:
    verdict = Verdict(**cast.model_dump(exclude={"item"}))
    vote, item, shown = votes.cast_and_go_on(studio, project, who, cast.item, verdict)
    return {**_document(studio, project, who, shown), "last": _revealed(studio, vote, item)}


def _document(studio: Studio, project: int, who: str, shown: Showing | None) -> dict[str, Any]:
    coming = shown is None and making.is_under_way(studio, projects.get(studio, project))
    if shown is None and not coming:  # The last answers may have come after they were looked for.
        shown = assignment.next_item(studio, project, who)
    state = votes.state_of(studio, shown, who) if shown else ""
    beside = progress.standing(studio, project, who)
    return {
        "item": _item(beside.project, shown, state) if shown else None,
        "coming": coming,
        "progress": beside.counts,
        "guidelines": beside.guidelines,
    }


def _item(project: LabelProject, shown: Showing, state: str) -> dict[str, Any]:
    """All that is needed to draw it; nothing that says where an answer comes from, while that is hidden."""
    blind = projects.settings_of(project).blind
    return {
        "id": shown.item.id,
        "number": shown.item.number,
        "state": state,
        "prompt": shown.item.prompt,
        "answers": [
            {
                "text": answer["text"],
                "html": rendered(answer["text"]),
                "source": "" if blind else answer["source"],
            }
            for answer in shown.answers
        ],
        "draft": shown.draft,
    }


def _revealed(studio: Studio, vote: Annotation, item: LabelItem) -> dict[str, Any]:
    """Who wrote what was just judged, from left to right; not while two models are compared, where it can be undone."""
    compared = projects.get(studio, item.project_id).round
    sources = [] if compared else [item.answers[place]["source"] for place in vote.order]
    return {"number": item.number, "verdict": votes.draft_of(vote)["verdict"], "sources": sources}
