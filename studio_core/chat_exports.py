"""A conversation as a file: Markdown to read, JSONL to train on."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

from studio_core.chats import Answer, get, history, messages_of, titles, votes
from studio_core.data import store
from studio_core.errors import BadInput
from studio_core.studio import Studio
from studio_core.tables import Dataset


def markdown(studio: Studio, chat_id: int) -> str:
    """The conversation to read: every prompt, and below it the answer of each side and the vote."""
    chat = get(studio, chat_id)
    cast = votes(studio, chat_id)
    parts = [f"# {chat.title}"]
    for row in history(studio, chat_id):
        parts.append(f"## {row.number}. Prompt\n\n{_fenced(row.prompt)}")
        if row.settings["system"]:
            parts.append(f"System prompt:\n\n{_fenced(row.settings['system'])}")
        for answer in row.answers:
            figures = f"{answer['tokens']} tokens, {answer['seconds']:.2f} s, {answer['state']}"
            parts.append(
                f"### {answer['name']} ({figures})\n\n{_fenced(answer['answer'] or answer.get('error', ''))}"
            )
        if row.id in cast:
            names = [row.answers[side]["name"] for side in (cast[row.id].left, cast[row.id].right)]
            better = {"a": f"{names[0]} is better", "b": f"{names[1]} is better", "tie": "tie"}
            parts.append(f"Vote: {better.get(cast[row.id].verdict, 'both are bad')}")
    return "\n\n".join(parts) + "\n"


def _fenced(text: str) -> str:
    """The text as it is: a fence longer than any in it, so that it cannot end the block."""
    runs = re.findall(r"`{3,}", text)
    fence = "`" * max(3, *(len(run) + 1 for run in runs)) if runs else "```"
    return f"{fence}text\n{text}\n{fence}"


def jsonl(studio: Studio, chat_id: int) -> str:
    """One line for each side, ``{"model", "messages"}``: chat data that can be trained on."""
    get(studio, chat_id)
    rounds = history(studio, chat_id)
    lines = []
    for side in range(len(rounds[-1].answers) if rounds else 0):
        answer: Answer = rounds[-1].answers[side]
        messages = messages_of(rounds[-1], side, rounds[:-1])
        if answer["answer"] and answer["state"] != "error":
            messages.append({"role": "assistant", "content": answer["answer"]})
        else:
            messages.pop()
        if any(message["role"] == "assistant" for message in messages):
            lines.append(
                json.dumps({"model": answer["name"], "messages": messages}, ensure_ascii=False) + "\n"
            )
    return "".join(lines)


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
    with tempfile.NamedTemporaryFile(
        "w", dir=studio.settings.uploads, suffix=".jsonl", encoding="utf-8"
    ) as file:
        file.writelines(found)
        file.flush()
        return store.import_file(studio, Path(file.name), name=name, source=f"{name}.jsonl").dataset
