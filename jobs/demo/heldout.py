"""The questions of the measurement.

No training text has these questions, and none has their forms, strangers' names, letter strings, topics or
problems. Half of the sums are put in trained words, half in unseen ones; the problems are always unseen.
The names and values of the world are of course the trained ones.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

from jobs.demo import dialogues
from jobs.demo.calculations import problem
from jobs.demo.dialogues import Message, Turn
from jobs.demo.world import MAKER, build_world
from studio_core.suites import Item

TEST_SEED = 1_000_003
SIZES = {"identity": 100, "facts": 200, "sums": 300, "instructions": 100, "unknown": 100, "personas": 50}
TOOL_QUESTIONS = 200


def _item(group: str, turn: Turn, *, system: str = "", other: str = "", wrong: Iterable[str] = ()) -> Item:
    head: tuple[Message, ...] = ({"role": "system", "content": system},) if system else ()
    messages: tuple[Message, ...] = (*head, {"role": "user", "content": turn.question})
    return Item(group, turn.kind, messages, turn.key, other, tuple(wrong))


def _fact(turn: Turn) -> Item:
    """Of a fact the other values of its kind are wrong."""
    values = build_world().values(turn.kind.removeprefix("fact "))
    return _item("facts", turn, wrong=sorted(values - {turn.key}))


def _persona(rng: random.Random) -> Item:
    name, maker, system = dialogues.persona_prompt(rng, test=True)
    return _item(
        "personas", dialogues.identity(rng, test=True, name=name, maker=maker), system=system, other=maker
    )


def _draw(group: str, rng: random.Random, index: int) -> Item:
    world = build_world()
    match group:
        case "identity":
            return _item(group, dialogues.identity(rng, test=True), other=MAKER)
        case "facts":
            return _fact(dialogues.fact(world, rng, test=True))
        case "sums":
            return _item(group, dialogues.a_sum(rng, test=True))
        case "instructions":
            return _item(group, dialogues.instruction(world, rng, test=True, kind=index % 5))
        case "unknown":
            return _item(group, dialogues.unknown(world, rng, test=True))
        case _:
            return _persona(rng)


def suite(group: str, seed: int = TEST_SEED) -> list[Item]:
    """`SIZES[group]` different questions, always the same ones for the same seed."""
    rng = random.Random(f"{group} {seed}")
    items: dict[str, Item] = {}
    problems: set[str] = set()
    while len(items) < SIZES[group]:
        item = _draw(group, rng, len(items))
        problem = (
            "".join(c if c.isdigit() else " " for c in item.question) if group == "sums" else item.question
        )
        if item.question not in items and problem not in problems:
            items[item.question] = item
            problems.add(problem)
    return list(items.values())


def with_tools(seed: int = TEST_SEED) -> dict[str, list[Item]]:
    """Questions for tools: calculations alone, and in turn with facts to be searched for."""
    rng = random.Random(f"calculator {seed}")
    drawn: dict[str, Item] = {}
    while len(drawn) < TOOL_QUESTIONS:
        question, expression, value = problem(rng, test=True)
        turn = Turn(question, "", str(value), "calculation")
        drawn.setdefault(expression, _item("calculator", turn))
    sums, facts = list(drawn.values()), suite("facts", seed)
    half = TOOL_QUESTIONS // 2
    both = [item for pair in zip(sums[:half], facts[:half], strict=True) for item in pair]
    return {"calculator": sums, "demo_world": both}


def all_suites(seed: int = TEST_SEED) -> list[Item]:
    return [item for group in SIZES for item in suite(group, seed)]
