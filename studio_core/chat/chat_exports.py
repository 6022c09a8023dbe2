"""A conversation as a file: Markdown to read, JSONL to train on."""

from __future__ import annotations

import json
import re
import tempfile
from itertools import takewhile
from pathlib import Path

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.base.tables import ChatRound, Dataset, Vote
from studio_core.chat.chat_answers import Answer
from studio_core.chat.chat_votes import votes
from studio_core.chat.chats import LETTERS, get, hidden, history, messages_of, titles
from studio_core.data import store


def markdown(studio: Studio, chat_id: int) -> str:
    """The conversation to read: every prompt, and below it the answer of each side and the vote."""
    chat = get(studio, chat_id)
    rounds = history(studio, chat_id)
    cast, blind = votes(studio, rounds), hidden(studio, rounds)
    parts = [f"# {chat.title}"]
    for row in rounds:
        parts.append(f"## {row.number}. Prompt\n\n{_code_block(row.prompt)}")
        if row.settings["system"]:
            parts.append(f"System prompt:\n\n{_code_block(row.settings['system'])}")
        # In the order in which the sides were shown: that of the columns would tell who is who.
        parts += [_side(row, side, row.id in blind) for side in row.settings["order"]]
        if row.id in cast:
            parts.append(_verdict(row, cast[row.id]))
    return "\n\n".join(parts) + "\n"


def _side(row: ChatRound, side: int, blind: bool) -> str:
    """One answer. While names are hidden neither figures nor errors are told: they name the model too."""
    answer: Answer = row.answers[side]
    name = _letter(row, side) if blind else answer["name"]
    tokens = f"{answer['tokens']} tokens, " if answer["tokens"] else ""
    figures = f"{tokens}{answer['seconds']:.2f} s, {answer['state']}"
    text = answer["answer"] or ("" if blind else answer.get("error", ""))
    return f"### {name} ({answer['state'] if blind else figures})\n\n{_code_block(text)}"


def _verdict(row: ChatRound, vote: Vote) -> str:
    names = [row.answers[side]["name"] for side in (vote.left, vote.right)]
    better = {"a": f"{names[0]} is better", "b": f"{names[1]} is better", "tie": "tie"}
    # Whoever reads the vote later has to know what it is worth.
    flags = [flag for flag in ("blind", "incomplete", "leak") if vote.record.get(flag)]
    return f"Vote: {better.get(vote.verdict, 'both are bad')}" + (f" ({', '.join(flags)})" if flags else "")


def _letter(row: ChatRound, side: int) -> str:
    return LETTERS[row.settings["order"].index(side)]


def _code_block(text: str) -> str:
    """The text as it is: a fence longer than any in it, so that it cannot end the block."""
    runs = re.findall(r"`{3,}", text)
    fence = "`" * max(3, *(len(run) + 1 for run in runs)) if runs else "```"
    return f"{fence}text\n{text}\n{fence}"


def jsonl(studio: Studio, chat_id: int) -> str:
    """One line for each side, ``{"model", "messages"}``: chat data that can be trained on.

    Rounds whose names are hidden are left out, since a line that goes on from answers with a name would
    tell it; of a conversation that has no others, all lines have letters instead.
    """
    get(studio, chat_id)
    rounds = history(studio, chat_id)
    blind = hidden(studio, rounds)
    # Up to the first hidden round and no further: what comes after it goes on from its answers.
    known = list(takewhile(lambda row: row.id not in blind, rounds))
    named = bool(known) or not rounds
    if not named:
        known = list(takewhile(lambda row: row.id in blind, rounds))
    if not known:
        return ""
    last, lines = known[-1], []
    for side in range(len(last.answers)) if named else last.settings["order"]:
        answer: Answer = last.answers[side]
        messages = messages_of(last, side, known[:-1])
        if answer["answer"] and answer["state"] != "error":
            messages.append({"role": "assistant", "content": answer["answer"]})
        else:
            # The question that this side did not answer.
            messages.pop()
        if any(message["role"] == "assistant" for message in messages):
            line = {"model": answer["name"] if named else _letter(last, side), "messages": messages}
            lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    return "".join(lines)


# More than people hold in years; the limit keeps a script's data folder from filling the memory.
MOST = 100_000
"""Conversations that are made a dataset of, the newest ones."""


def all_jsonl(studio: Studio) -> list[str]:
    """``jsonl`` of every conversation in which a model has answered, newest first."""
    return [text for chat in titles(studio, MOST) if (text := jsonl(studio, chat.id))]


def chats_to_dataset(studio: Studio, name: str = "chats") -> Dataset:
    """Make all conversations a dataset; the next time, a new version of it."""
    found = all_jsonl(studio)
    if not found:
        raise BadInput("adding.no_chats")
    # In the uploads folder: on the disk of the data folder, and cleared by the same rules.
    with tempfile.NamedTemporaryFile(
        "w", dir=studio.settings.uploads, suffix=".jsonl", encoding="utf-8"
    ) as file:
        file.writelines(found)
        file.flush()
        return store.import_file(studio, Path(file.name), name=name, source=f"{name}.jsonl").dataset
