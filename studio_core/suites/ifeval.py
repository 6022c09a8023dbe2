"""IFEval: 541 requests with one to three instructions each whose following a program checks, so without a judge.

The checks follow the paper. Three differ from the authors' program in what they rest on: sentences are split by
regular expressions and not by NLTK's model, languages are told by py3langid, and words in capitals are counted whole
(``WELL-KNOWN``, ``DON'T``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from studio_core.suites.base import Item, Source, Suite, Verdict, asked, text_in
from studio_core.suites.instruction_checks import CHECKS

Instruction = tuple[str, dict[str, Any]]
"""Its name, and what its check is given."""


def instructions(record: Mapping[str, Any]) -> list[Instruction]:
    """The instructions of a record. Raises KeyError, TypeError or ValueError if one cannot be checked."""
    names, values = record["instruction_id_list"], record["kwargs"]
    if isinstance(names, str) or not names or len(names) != len(values):
        raise ValueError(f"instruction_id_list: {names!r:.80} does not fit kwargs")
    listed = []
    for name, given in zip(names, values, strict=True):
        if name not in CHECKS:
            raise ValueError(f"instruction_id_list: {name!r:.80} is not among {', '.join(CHECKS)}")
        # Tables give every record all columns, empty where a kind has no such value.
        listed.append((name, {key: value for key, value in (given or {}).items() if value is not None}))
    return listed


def item(suite: str, record: Mapping[str, Any], number: int) -> Item:
    listed = instructions(record)
    for name, values in listed:
        try:
            CHECKS[name]("?", **values)
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"kwargs of {name}: {values!r:.200} ({error})") from error
    kind = "1 instruction" if len(listed) == 1 else f"{len(listed)} instructions"
    prompt = text_in(record, "prompt")
    return Item(suite, kind, asked(prompt), "", id=str(record.get("key", number)), record=record)


def follows(answer: str, instruction: Instruction) -> bool:
    """Strictly: as it stands. An empty answer follows nothing."""
    name, values = instruction
    return bool(answer.strip()) and CHECKS[name](answer, **values)


def follows_loosely(answer: str, instruction: Instruction) -> bool:
    """As it stands, or without the markdown asterisks, the first line, the last line, or any of these together."""
    lines = answer.split("\n")
    cuts = product((0, 1), (len(lines), len(lines) - 1))
    texts = ["\n".join(lines[start:end]).strip() for start, end in cuts]
    return any(follows(text, instruction) for plain in texts for text in (plain, plain.replace("*", "")))


def score(item: Item, answer: str) -> Verdict:
    """1 if every instruction is followed strictly; else the first that is not is named."""
    for instruction in instructions(item.record):
        if not follows(answer, instruction):
            return Verdict(0.0, "not_followed", {"instruction": instruction[0]})
    return Verdict(1.0)


def figures(items: Sequence[Item], answers: Sequence[str]) -> dict[str, float]:
    """The four published figures: the share of prompts, and of instructions, followed strictly and loosely.

    One answer for each item, in the same order; without items there are none.
    """
    shares: dict[str, float] = {}
    for name, check in (("strict", follows), ("loose", follows_loosely)):
        followed = [
            [check(answer.strip(), instruction) for instruction in instructions(item.record)]
            for item, answer in zip(items, answers, strict=True)
        ]
        single = [each for prompt in followed for each in prompt]
        if followed:
            shares[f"prompt_{name}"] = sum(map(all, followed)) / len(followed)
            shares[f"instruction_{name}"] = sum(single) / len(single)
    return shares


IFEVAL = Suite(
    "ifeval",
    score,
    # As many as other evaluators allow: some requests ask for 1,200 words.
    max_tokens=1280,
    item=item,
    source=Source("google/IFEval", "train", licence="Apache-2.0", about="https://arxiv.org/abs/2311.07911"),
    figures=figures,
)
