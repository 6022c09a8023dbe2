"""How a round of a conversation looks, with all that can be done with it.

What is drawn of a blind round says nothing from which its models could be told: no names, no figures, no
reasons of failures.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from markupsafe import Markup

from app.i18n import say
from app.parts import markdown, side_by_side
from app.parts.html import html, join, number
from app.parts.side_by_side import Cell
from studio_core import texts
from studio_core.base.tables import ChatRound, Vote
from studio_core.chat import chats
from studio_core.chat.chat_answers import Answer, attempt
from studio_core.chat.chat_votes import ENDED, Standing
from studio_core.chat.chats import LETTERS

_VERDICTS = (
    ("a", "better_a", "1"),
    ("b", "better_b", "2"),
    ("tie", "tie", "3"),
    ("both_bad", "both_bad", "4"),
)


def round_block(
    chat_id: int,
    row: ChatRound,
    answers: Sequence[Answer],
    how: Standing,
    language: str,
    *,
    loading: Sequence[bool] = (),
    newest: bool = False,
) -> Markup:
    """One round, its sides in the order in which they are shown. Parts of the newest one have ids."""
    order: list[int] = row.settings["order"]
    shown = [answers[side] for side in order]
    marks = [""] * len(answers)
    if how.vote is not None:
        marks = list(side_by_side.marks(how.vote.verdict, how.vote.left, how.vote.right, len(answers)))
    cells = [
        _cell(answer, place, how, row, marks[side], bool(loading) and loading[side], language)
        for place, (side, answer) in enumerate(zip(order, shown, strict=True))
    ]
    edit = _button("prompt", say("chat.edit_prompt", language), quiet=True)
    return html(
        '<section class="ts-round" data-chat="{}" data-round="{}" data-attempt="{}" {} data-shape="{}"'
        ' aria-label="{}" tabindex="-1">{}{}{}'
        '<div class="ts-round-bar">{}{}</div><div class="ts-round-said" {} role="status"></div></section>',
        chat_id,
        row.number,
        attempt(answers),
        Markup("data-streaming") if any(one["state"] == "streaming" for one in answers) else Markup(),
        _shape(answers, how),
        say("chat.turn", language, number=row.number),
        side_by_side.prompt_block(row.prompt, row.settings["system"], language, edit),
        _sampling(row, language),
        side_by_side.cells(cells, language, "chat-side" if newest else ""),
        _judging(shown, how, language, newest) if len(answers) > 1 else Markup(),
        _round_tools(shown, how, language),
        Markup('id="chat-vote-message"') if newest else Markup(),
    )


def _shape(answers: Sequence[Answer], how: Standing) -> str:
    """What decides which buttons there are: while it stays, only texts change."""
    states = " ".join(f"{a['state']}{len(a.get('earlier', []))}{bool(a['answer'].strip())}" for a in answers)
    return f"{states} {how.vote.id if how.vote else 0} {how.hidden} {how.open} {how.undoable} {how.fresh}"


def _cell(
    answer: Answer, place: int, how: Standing, row: ChatRound, mark: str, loading: bool, language: str
) -> Cell:
    # A speed can give a model away, and so can what is said of an error.
    figures = "" if how.hidden else side_by_side.figures(answer["tokens"], answer["seconds"], language)
    seed = answer.get("seed", row.settings["seed"])
    # Only of an answer that was asked for again: of the others the line above the round says it.
    if seed != row.settings["seed"]:
        figures = " · ".join(filter(None, (figures, say("chat.own_seed", language, seed=seed))))
    if answer.get("plain") and not how.hidden:
        figures = " · ".join(filter(None, (figures, say("chat.plain", language))))
    if not how.hidden and (engine := _engine(answer, language)):
        # In one piece: what holds the figures is a grid.
        figures = html("<span>{}{}{}</span>", figures, " · " if figures else "", engine)
    return Cell(
        text=answer["answer"],
        name=None if how.hidden else answer["name"],
        state=answer["state"],
        note=_note(answer, loading, how.hidden, language),
        figures=figures,
        mark=mark,  # type: ignore[arg-type]
        more=_earlier_answers(answer.get("earlier", []), language),
        tools=_answer_tools(answer, place, how, language),
        growing=(row.id, place) if answer["state"] == "streaming" else None,
    )


def _engine(answer: Answer, language: str) -> Markup:
    """The program that computed it; of our own loop only where another one was tried, and why it is not that."""
    if name := answer.get("engine"):
        return html('<abbr title="{}">{}</abbr>', name, say("chat.engine", language))
    if why := answer.get("no_engine"):
        sentence = say(why["key"], language, **why["values"])
        return html('<abbr title="{}">{}</abbr>', sentence, say("chat.engine_loop", language))
    return Markup()


def _answer_tools(answer: Answer, place: int, how: Standing, language: str) -> Markup:
    letter = LETTERS[place]

    def button(action: str) -> Markup:
        label = say(f"chat.do_{action}", language)
        return _button(action, label, place=place, name=f"{label}: {letter}", quiet=True)

    if answer["state"] == "streaming":
        return button("stop")
    offered = [button("again")] if how.fresh else []
    if answer["answer"].strip():
        offered.insert(0, side_by_side.copy_button(language, f"{say('chat.copy', language)}: {letter}"))
    if answer["state"] != "error" and answer["answer"].strip():
        offered.append(button("correct"))
    return html('<span class="ts-answer-tools">{}</span>', join(offered))


def _earlier_answers(earlier: Sequence[Answer], language: str) -> Markup:
    if not earlier:
        return Markup()
    listed = join(
        html(
            '<li><div class="ts-markdown" dir="auto">{}</div><span>{}</span></li>',
            markdown.rendered(answer["answer"]),
            say("chat.own_seed", language, seed=answer.get("seed", 0)),
        )
        for answer in earlier
    )
    return html(
        '<details class="ts-before"><summary>{}</summary><ol>{}</ol></details>',
        say("chat.earlier_answers", language, number=number(len(earlier))),
        listed,
    )


def _sampling(row: ChatRound, language: str) -> Markup:
    """What holds for all sides of a round alike."""
    settings = chats.settings_of(row)
    text = say(
        "chat.same_for_all",
        language,
        temperature=f"{settings.temperature:g}",
        top_p=f"{settings.top_p:g}",
        seed=settings.seed,
        tokens=number(settings.max_tokens),
    )
    goes_on = row.settings.get("goes_on") or [None]
    if goes_on[-1] is not None:
        text = f"{text} {say('chat.goes_on', language)}"
    return html('<p class="ts-sampling">{}</p>', text)


def _judging(shown: Sequence[Answer], how: Standing, language: str, newest: bool) -> Markup:
    """The buttons for a vote, or what was voted."""
    if how.vote is not None:
        return _voted(how.vote, how, language)
    if not how.open:
        return html('<p class="ts-voted">{}</p>', say("chat.closed", language))
    ready = [
        place for place, answer in enumerate(shown) if answer["state"] != "error" and answer["answer"].strip()
    ]
    failed = [LETTERS[place] for place, answer in enumerate(shown) if answer["state"] == "error"]
    buttons = join(
        html(
            '<button type="button" class="ts-button ts-vote" data-action="vote" data-verdict="{}" {} {} '
            'aria-keyshortcuts="{}"><span>{}</span> <kbd>{}</kbd></button>',
            verdict,
            html('id="chat-vote-{}"', "bad" if verdict == "both_bad" else verdict) if newest else Markup(),
            Markup() if len(ready) > 1 else Markup("disabled"),
            key,
            say(f"chat.{label}", language),
            key,
        )
        for verdict, label, key in _VERDICTS
    )
    pairs = _pairs(len(shown), language) if len(shown) > 2 else Markup()
    return html(
        '{}<div class="ts-votes" role="group" aria-label="{}">{}</div>{}',
        pairs,
        say("chat.verdict", language),
        buttons,
        _hint(shown, failed, how, language),
    )


def _hint(shown: Sequence[Answer], failed: Sequence[str], how: Standing, language: str) -> Markup:
    if failed and len(shown) - len(failed) < 2:
        key, values = "failed_side", {"sides": ", ".join(failed)}
    elif any(answer["state"] == "streaming" for answer in shown):
        key, values = "early_hint", {}
    elif any(answer["state"] not in (*ENDED, "error") for answer in shown):
        key, values = "cut_hint", {}
    else:
        return Markup()
    return html('<p class="ts-hint">{}</p>', say(f"chat.{key}", language, **values))


def _pairs(sides: int, language: str) -> Markup:
    chips = join(
        html(
            '<button type="button" class="ts-chip" data-pair="{}-{}" aria-pressed="{}">{} – {}</button>',
            left,
            right,
            "true" if (left, right) == (0, 1) else "false",
            LETTERS[left],
            LETTERS[right],
        )
        for left, right in sorted(combinations(range(sides), 2), key=lambda pair: pair[::-1])
    )
    return html(
        '<div class="ts-pairs" role="group" aria-label="{0}" data-better="{1}"><span>{0}</span>{2}</div>',
        say("chat.pair", language),
        say("chat.better", language, letter="*"),
        chips,
    )


def _voted(vote: Vote, how: Standing, language: str) -> Markup:
    flags = [flag for flag in ("incomplete", "leak") if vote.record.get(flag)]
    told = join(
        html(
            '<span class="ts-badge" title="{}">{}</span>',
            say(f"chat.flag_{flag}_help", language),
            say(f"chat.flag_{flag}", language),
        )
        for flag in flags
    )
    undo = _button("undo", say("chat.do_undo", language), key="U") if how.undoable else Markup()
    return html('<p class="ts-voted"><span>{}</span>{}</p>{}', say("chat.voted", language), told, undo)


def _round_tools(shown: Sequence[Answer], how: Standing, language: str) -> Markup:
    streaming = any(answer["state"] == "streaming" for answer in shown)
    usable = sum(answer["state"] != "error" and bool(answer["answer"].strip()) for answer in shown)

    def button(action: str, key: str = "") -> Markup:
        return _button(action, say(f"chat.do_{action}", language), key=key, quiet=True)

    offered = []
    if usable > 1:
        offered.append(
            _button("difference", say("chat.do_difference", language), key="D", quiet=True, pressed=False)
        )
    if not streaming:
        label = "chat.do_again_all" if how.fresh else "chat.do_again_fork"
        offered.append(_button("again", say(label, language), quiet=True))
        if usable > 1:
            offered.append(button("send"))
        if how.hidden:
            offered.append(button("reveal"))
    return html('<div class="ts-round-tools">{}</div>', join(offered))


def _button(
    action: str,
    label: str,
    *,
    place: int | None = None,
    name: str = "",
    key: str = "",
    quiet: bool = False,
    pressed: bool | None = None,
) -> Markup:
    return html(
        '<button type="button" class="{}" data-action="{}"{}{}{}{}>{}{}</button>',
        "ts-quiet" if quiet else "ts-button",
        action,
        html(' data-place="{}"', place) if place is not None else Markup(),
        html(' aria-label="{}"', name) if name else Markup(),
        html(' aria-keyshortcuts="{}"', key) if key else Markup(),
        html(' aria-pressed="{}"', "true" if pressed else "false") if pressed is not None else Markup(),
        label,
        html(" <kbd>{}</kbd>", key) if key else Markup(),
    )


def _note(answer: Answer, loading: bool, hidden: bool, language: str) -> str:
    state = answer["state"]
    if state == "error" and hidden:
        return say("chat.failed_hidden", language)
    if state == "error":
        key = answer.get("key", "")
        if key in texts.catalogue(texts.DEFAULT_LANGUAGE):
            return say(key, language, **answer.get("values", {}))
        return answer.get("error", "")
    if state == "streaming":
        if answer["answer"]:
            return ""
        return say("chat.loading" if loading and not hidden else "chat.waiting", language)
    if state == "stop":
        return "" if answer["answer"].strip() else say("chat.no_text", language)
    return say(f"chat.state_{state}", language)
