"""A search over the facts of the world that the demo models know (``jobs/demo/world.py``): 248 of 40 people and 16
towns, in the file beside this one."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

from studio_core.environments.base import Environment, Tool, ToolError

FACTS = Path(__file__).with_name("world_facts.json")
"""A list of ``[subject, attribute, value]``."""
MOST = 5
"""Facts in a result: all that there are of one person."""


@cache
def _facts() -> list[tuple[str, frozenset[str]]]:
    """Each as a text, with its words."""
    rows = json.loads(FACTS.read_text(encoding="utf-8"))
    texts = [f"{subject}: {attribute} {value}" for subject, attribute, value in rows]
    return [(text, frozenset(_words(text))) for text in texts]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def search(query: str) -> str:
    """The facts that have most words of the query, those of their file's order first. Raises ``ToolError``."""
    wanted = set(_words(query))
    hits = [(len(wanted & words), text) for text, words in _facts()]
    most = max(count for count, _ in hits)
    if not most:
        raise ToolError("nothing was found")
    return "; ".join([text for count, text in hits if count == most][:MOST])


TOOL = Tool(
    name="search",
    description="Finds facts about people and towns.",
    parameter="query",
    parameter_description="A name, and what is asked of it: home, job, dish, pet, colour, river, mayor, craft",
    run=search,
)
WORLD_SEARCH = Environment("world_search", (TOOL,))
