"""What is done with the rounds of a conversation: small JSON requests, one way for new and old rounds.

GET  /api/chat/{chat}/rounds/{number}                 how the round looks now
GET  /api/chat/{chat}/rounds/{number}/difference      two answers, word by word
POST /api/chat/{chat}/rounds/{number}/vote            {"verdict", "left", "right", "seen"}: places as they are shown
POST /api/chat/{chat}/rounds/{number}/undo            take the vote back
POST /api/chat/{chat}/rounds/{number}/reveal          show the names, without a vote
POST /api/chat/{chat}/rounds/{number}/stop            {"place"}: one answer, or all
POST /api/chat/{chat}/rounds/{number}/again           {"place"}: one answer, or all, with the next seed
POST /api/chat/{chat}/rounds/{number}/prompt          {"text"}: ask something else there
POST /api/chat/{chat}/rounds/{number}/correct         {"place", "text", "project", "seen"}
POST /api/chat/{chat}/rounds/{number}/send            {"left", "right", "project", "seen"}

``seen`` is the attempt whose answers the page shows: what is said of them is refused if they are others by now.
Answers hold ``rounds`` (HTML of those that changed, by number), ``message`` (HTML), or the ``address`` of
the conversation that was begun.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from app.access import current_user
from app.i18n import language_of, say
from app.parts.chat import round as round_view
from app.parts.chat import view
from app.parts.html import notice
from studio_core.base.errors import BadInput, NotFound, StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import ChatRound, Vote
from studio_core.chat import chat_exports, chat_labels, chat_live, chat_votes, chats
from studio_core.chat.chat_live import LiveRound
from studio_core.chat.chats import LONGEST_PROMPT, MOST_SIDES
from studio_core.labeling.words import difference

AT = "/api/chat/{chat}/rounds/{number}"

Place = Annotated[int, Field(ge=0, lt=MOST_SIDES)]
Shown = Annotated[int, Query(ge=0, lt=MOST_SIDES)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Seen(_Body):
    seen: int | None = Field(default=None, ge=0)


class Pair(_Seen):
    left: Place
    right: Place


class Cast(Pair):
    verdict: str = Field(max_length=20)


class Nothing(_Body):
    pass


class Which(_Body):
    place: Place | None = None


class Prompt(_Body):
    text: str = Field(max_length=LONGEST_PROMPT)


class Correction(_Seen):
    place: Place
    text: str = Field(max_length=LONGEST_PROMPT)
    project: str = Field(default="", max_length=80)


class Sending(Pair):
    project: str = Field(default="", max_length=80)


def routes(studio: Studio) -> APIRouter:
    router = APIRouter()

    @router.get(AT)
    def look(chat: int, number: int, request: Request) -> Response:
        return _answered(request, lambda language: _update(studio, chat, number, language))

    @router.get(f"{AT}/difference")
    def differ(chat: int, number: int, request: Request, left: Shown = 0, right: Shown = 1) -> Response:
        return _answered(request, lambda _: _difference(studio, chat, number, left, right))

    @router.post(f"{AT}/stop")
    def stop(chat: int, number: int, which: Which, request: Request) -> Response:
        return _answered(request, lambda language: _stopped(studio, chat, number, which, language))

    @router.post(f"{AT}/again")
    def again(chat: int, number: int, which: Which, request: Request) -> Response:
        return _answered(request, lambda language: _asked_again(studio, chat, number, which, language))

    @router.post(f"{AT}/prompt")
    def prompt(chat: int, number: int, change: Prompt, request: Request) -> Response:
        return _answered(
            request, lambda _: _elsewhere(chat_live.ask_instead(studio, chat, number, change.text))
        )

    _judgements(studio, router)
    _downloads(studio, router)
    return router


def _judgements(studio: Studio, router: APIRouter) -> None:
    """What people say of the answers."""

    @router.post(f"{AT}/vote")
    def vote(chat: int, number: int, cast: Cast, request: Request) -> Response:
        return _answered(
            request, lambda language: _voted(studio, chat, number, cast, _who(request), language)
        )

    @router.post(f"{AT}/undo")
    def undo(chat: int, number: int, _: Nothing, request: Request) -> Response:
        return _answered(request, lambda language: _undone(studio, chat, number, language))

    @router.post(f"{AT}/reveal")
    def reveal(chat: int, number: int, _: Nothing, request: Request) -> Response:
        return _answered(request, lambda language: _revealed(studio, chat, number, language))

    @router.post(f"{AT}/correct")
    def correct(chat: int, number: int, better: Correction, request: Request) -> Response:
        return _answered(
            request, lambda language: _corrected(studio, chat, number, better, _who(request), language)
        )

    @router.post(f"{AT}/send")
    def send(chat: int, number: int, sending: Sending, request: Request) -> Response:
        return _answered(
            request, lambda language: _sent(studio, chat, number, sending, _who(request), language)
        )


def _downloads(studio: Studio, router: APIRouter) -> None:
    formats = {
        "md": (chat_exports.markdown, "text/markdown"),
        "jsonl": (chat_exports.jsonl, "application/jsonl"),
    }

    @router.get("/api/chat/{chat_id}.{ending}")
    def export(chat_id: int, ending: str, request: Request) -> Response:
        if ending not in formats:
            return PlainTextResponse(say("shell.refused_path", language_of(request)), 404)
        write, media_type = formats[ending]
        try:
            text = write(studio, chat_id)
        except NotFound as error:
            return PlainTextResponse(error.sentence(language_of(request)), 404)
        name = f'attachment; filename="chat-{chat_id}.{ending}"'
        return Response(
            text, media_type=f"{media_type}; charset=utf-8", headers={"Content-Disposition": name}
        )


def _who(request: Request) -> str:
    """The name under which somebody votes and corrects: that of their account."""
    return current_user(request).name or "me"


def _answered(request: Request, act: Callable[[str], dict[str, Any]]) -> Response:
    """What ``act`` gives in the reader's language, or the sentence that says why not."""
    language = language_of(request)
    try:
        return JSONResponse(act(language))
    except StudioError as error:
        # One status for all that is refused: the script shows the sentence, whatever it is about.
        return JSONResponse({"error": error.sentence(language)}, status_code=409)


def _difference(studio: Studio, chat: int, number: int, left: int, right: int) -> dict[str, Any]:
    row = _round(studio, chat, number)
    return {"difference": difference(*(row.answers[_side(row, place)]["answer"] for place in (left, right)))}


def _stopped(studio: Studio, chat: int, number: int, which: Which, language: str) -> dict[str, Any]:
    live = chat_live.current(studio, chat)
    row = _round(studio, chat, number)
    if live is not None and live.id == row.id:
        live.stop(None if which.place is None else _side(row, which.place))
    return _update(studio, chat, number, language)


def _asked_again(studio: Studio, chat: int, number: int, which: Which, language: str) -> dict[str, Any]:
    row = _round(studio, chat, number)
    sides = [] if which.place is None else [_side(row, which.place)]
    live = chat_live.ask_again(studio, chat, number, sides)
    return _elsewhere(live) if live.chat_id != chat else _update(studio, chat, number, language)


def _elsewhere(live: LiveRound) -> dict[str, Any]:
    return {"address": f"/chat?chat={live.chat_id}"}


def _voted(studio: Studio, chat: int, number: int, cast: Cast, who: str, language: str) -> dict[str, Any]:
    row = _round(studio, chat, number)
    left, right = _side(row, cast.left), _side(row, cast.right)
    vote = chat_votes.vote(studio, chat, number, cast.verdict, left, right, who, cast.seen)
    return {**_of_block(studio, chat, row, language), "message": _vote_message(studio, vote, language)}


def _undone(studio: Studio, chat: int, number: int, language: str) -> dict[str, Any]:
    chat_votes.withdraw(studio, chat, number)
    row = _round(studio, chat, number)
    sentence = say("chat.undone_closed" if row.settings["blind"] else "chat.undone", language)
    return {**_of_block(studio, chat, row, language), "message": notice("info", sentence)}


def _revealed(studio: Studio, chat: int, number: int, language: str) -> dict[str, Any]:
    chat_votes.reveal(studio, chat, number)
    return _of_block(studio, chat, _round(studio, chat, number), language)


def _corrected(
    studio: Studio, chat: int, number: int, better: Correction, who: str, language: str
) -> dict[str, Any]:
    side = _side(_round(studio, chat, number), better.place)
    correction = chat_labels.correct(
        studio, chat, number, side, better.text, who, better.project, better.seen
    )
    return {"message": view.sent(correction, "corrected", language), "project": correction.project.name}


def _sent(
    studio: Studio, chat: int, number: int, sending: Sending, who: str, language: str
) -> dict[str, Any]:
    row = _round(studio, chat, number)
    left, right = _side(row, sending.left), _side(row, sending.right)
    sent = chat_labels.send(studio, chat, number, left, right, who, sending.project, sending.seen)
    return {"message": view.sent(sent, "sent", language), "project": sent.project.name}


def _side(row: ChatRound, place: int) -> int:
    """Which answer of the round is shown at a place."""
    order: list[int] = row.settings["order"]
    if place >= len(order):
        raise BadInput("chat.no_side")
    return order[place]


def _round(studio: Studio, chat: int, number: int) -> ChatRound:
    """The round with what has come of its answers so far."""
    row = chats.round_of(studio, chat, number)
    live = chat_live.current(studio, chat)
    if live is None or live.id != row.id:
        return row
    live.save()
    return chats.get_round(studio, row.id)


def drawn(studio: Studio, chat: int, language: str) -> dict[int, Markup]:
    """All rounds of a conversation as HTML, by their numbers, in order."""
    return {number: text for number, (text, _) in _drawn(studio, chat, language).items()}


def _drawn(
    studio: Studio, chat: int, language: str, only: int | None = None
) -> dict[int, tuple[Markup, ChatRound]]:
    """Each round with how it looks, or one of them by its number."""
    live = chat_live.current(studio, chat)
    rounds = chat_live.history(studio, chat)
    how = chat_votes.standing(studio, chat)
    blocks = {}
    for row in rounds:
        if only is not None and row.number != only:
            continue
        mine = live is not None and live.id == row.id
        text = round_view.round_block(
            chat,
            row,
            live.answers() if live is not None and mine else row.answers,
            how[row.id],
            language,
            loading=live.loading() if live is not None and mine else (),
            newest=row is rounds[-1],
        )
        blocks[row.number] = (text, row)
    return blocks


def _update(studio: Studio, chat: int, number: int, language: str) -> dict[str, Any]:
    blocks = _drawn(studio, chat, language, number)
    if number not in blocks:
        raise NotFound("chat.round_not_found", round=number)
    return {"rounds": {number: blocks[number][0]}}


def _of_block(studio: Studio, chat: int, row: ChatRound, language: str) -> dict[str, Any]:
    """The round, and with a blind one all others: the names of some of them may be known now too."""
    blocks = _drawn(studio, chat, language)
    return {
        "rounds": {
            number: text
            for number, (text, one) in blocks.items()
            if one.id == row.id or row.settings["blind"]
        }
    }


def _vote_message(studio: Studio, vote: Vote, language: str) -> Markup:
    """What has become of the vote, and why it counts for less if it does."""
    if vote.record["incomplete"]:
        return notice("warn", say("chat.vote_early", language))
    if vote.record["leak"]:
        return notice("warn", say("chat.vote_leak", language, names=", ".join(vote.record["named"])))
    number = len(chat_votes.preference_records(studio))
    key = "chat.vote_saved" if vote.verdict in ("a", "b") else "chat.vote_kept"
    return notice("good", say(key, language, number=number))
