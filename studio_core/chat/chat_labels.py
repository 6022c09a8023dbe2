"""From a conversation into a labelling project: turns with their votes, and corrections of answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from studio_core.base.errors import BadInput, Conflict
from studio_core.base.studio import Studio
from studio_core.base.tables import ChatRound, LabelItem, LabelProject
from studio_core.chat import chat_answers, chat_votes, chats
from studio_core.chat.chat_answers import Answer
from studio_core.data.shapes import Message
from studio_core.labeling import items, projects
from studio_core.labeling import votes as label_votes
from studio_core.labeling.items import NewItem
from studio_core.labeling.making import NewPrompt
from studio_core.labeling.votes import Verdict

PROJECT = "chat"
"""Where turns go if no project is named."""
# Some ten pages: above what a person writes, below what a browser may send to fill the disk.
LONGEST = 20_000
"""Characters of an answer that a person wrote better."""
_VERDICTS = {"a": "left", "b": "right", "tie": "tie", "both_bad": "both_bad"}


@dataclass(frozen=True)
class Sent:
    """What a turn has become."""

    project: LabelProject
    number: int
    """Of the item in the project."""
    voted: bool
    """The vote went with it; else it waits there to be judged."""


def projects_for_turns(studio: Studio) -> list[LabelProject]:
    """Projects that take turns of conversations, newest first."""
    return [one for one in projects.all_projects(studio) if one.mode == "pairs" and not one.round]


def send(
    studio: Studio,
    chat_id: int,
    number: int,
    left: int,
    right: int,
    annotator: str,
    project: str = "",
    seen: int | None = None,
) -> Sent:
    """Make two answers of a round an item of a project; the vote on them goes with it if it is sound."""
    row = chats.round_of(studio, chat_id, number)
    # Another tab may have asked again since: the vote would be on answers that this person never saw.
    chat_answers.check_attempt(row, seen)
    chat_votes.check_sides(row, left, right)
    for side in (left, right):
        _require_ended(row, side)
    vote = chat_votes.votes(studio, [row]).get(row.id)
    # A vote on another pair, on half an answer, or on one that names its
    # model: the item goes, to be judged anew.
    if vote is not None and (
        {vote.left, vote.right} != {left, right} or vote.record["incomplete"] or vote.record.get("leak")
    ):
        vote = None
    # Both sides may have different pasts; the item has one prompt, that of the better answer.
    winner = {"a": vote.left, "b": vote.right}.get(vote.verdict, left) if vote else left
    # By the columns and not as they were shown, so that the same pair is the same item whoever sends it.
    places = sorted((left, right))
    item = NewItem(_prompt(studio, chat_id, row, winner), [_answer(row.answers[side]) for side in places])
    one = _project(studio, project)
    with studio.db.write() as session:
        stored = items.add_one(session, one, item)
        # In the same transaction as the item: an item without its vote would
        # be given out to be judged again.
        if vote is not None:
            texts = [row.answers[side]["answer"] for side in (vote.left, vote.right)]
            # Votes of before there were accounts have nobody.
            who = vote.record.get("annotator") or annotator
            said = Verdict(_VERDICTS[vote.verdict])
            order = _places_of(stored, texts)
            made = label_votes.judge(session, one, who, stored, order, said)
            chat_votes.link(session, vote.id, made.id)
        return Sent(one, stored.number, vote is not None)


def correct(
    studio: Studio,
    chat_id: int,
    number: int,
    side: int,
    text: str,
    annotator: str,
    project: str = "",
    seen: int | None = None,
) -> Sent:
    """Make an answer and the better one that a person wrote of it a judged item: the better is chosen."""
    row = chats.round_of(studio, chat_id, number)
    chat_answers.check_attempt(row, seen)
    if not 0 <= side < len(row.answers):
        raise BadInput("chat.no_side")
    answer: Answer = row.answers[side]
    _require_ended(row, side)
    if answer["state"] == "error" or not answer["answer"].strip():
        raise BadInput("chat.nothing_to_correct")
    if not text.strip():
        raise BadInput("chat.empty_correction")
    if len(text) > LONGEST:
        raise BadInput("chat.long_correction", letters=len(text), most=LONGEST)
    if text.strip() == answer["answer"].strip():
        raise BadInput("chat.unchanged_correction")
    better = items.Answer(text, annotator, "human_edit")
    item = NewItem(_prompt(studio, chat_id, row, side), [_answer(answer), better])
    one = _project(studio, project)
    with studio.db.write() as session:
        stored = items.add_one(session, one, item)
        order = _places_of(stored, [answer["answer"], text])
        label_votes.judge(session, one, annotator, stored, order, Verdict("right"))
        return Sent(one, stored.number, True)


def _places_of(item: LabelItem, texts: list[str]) -> list[int]:
    """The places of these texts, from left to right: the item may have been there the other way round."""
    known = [answer["text"].strip() for answer in item.answers]
    return [known.index(text.strip()) for text in texts]


def _require_ended(row: ChatRound, side: int) -> None:
    if row.answers[side]["state"] == "streaming":
        raise Conflict("chat.not_ended")


def _prompt(studio: Studio, chat_id: int, row: ChatRound, side: int) -> list[Message]:
    earlier = [one for one in chats.history(studio, chat_id) if one.number < row.number]
    return [
        {"role": message["role"], "content": message["content"]}
        for message in chats.messages_of(row, side, earlier)
    ]


def _answer(answer: Answer) -> items.Answer:
    model = answer["model"]
    # A service has a name and no number in the studio.
    return items.Answer(answer["answer"], answer["name"], model=model if isinstance(model, int) else None)


def _project(studio: Studio, name: str) -> LabelProject:
    """The project of that name, made if there is none."""
    name = name.strip() or PROJECT
    known = next((one for one in projects.all_projects(studio) if one.name == name), None)
    if known is None:
        return projects.create(studio, name)
    if known.mode != "pairs" or known.round:
        raise BadInput("chat.project_takes_no_pairs", project=name)
    return known


def prompts_of_chats(studio: Studio, limit: int = 1000) -> Iterator[NewPrompt]:
    """What people asked on the Chat page, newest chats first, with what had been said before."""
    for chat in chats.titles(studio, limit):
        rounds = chats.history(studio, chat.id)
        for row in rounds:
            earlier = [one for one in rounds if one.number < row.number]
            messages = chats.messages_of(row, 0, earlier)
            yield NewPrompt([{"role": one["role"], "content": one["content"]} for one in messages])
