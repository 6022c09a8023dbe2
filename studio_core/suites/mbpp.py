"""MBPP, mostly basic Python problems: a task in a sentence, scored by running its three tests.

Austin et al. 2021, "Program Synthesis with Large Language Models" (arXiv 2108.07732). As there, the question shows
the tests, since nothing else gives the function's name; without the paper's three examples before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio_core.suites.base import Item, Source, Suite, Verdict, asked
from studio_core.suites.code_answers import MAX_TOKENS, tested

QUESTION = """You are an expert Python programmer, and here is your task: {task} Your code should pass these tests:

{tests}

Answer with one block of code."""


def item(suite: str, record: Mapping[str, Any], number: int) -> Item:
    """``text`` (``prompt`` in the sanitized edition), ``test_list``; ``test_setup_code`` or ``test_imports``."""
    tests = [str(test) for test in record["test_list"]]
    if not tests:
        raise ValueError("test_list")
    # What is needed before each test: of two records objects that are built of the answer's own class.
    setup = "\n".join([record.get("test_setup_code") or "", *(record.get("test_imports") or ())]).strip()
    question = QUESTION.format(task=record.get("text") or record["prompt"], tests="\n".join(tests))
    kept = {"tests": tests, "setup": setup, "code": record.get("code", "")}
    return Item(suite, "", asked(question), "", id=str(record.get("task_id", number)), record=kept)


def score(item: Item, answer: str) -> Verdict:
    setup = item.record["setup"]
    tests = [f"{setup}\n{test}" if setup else test for test in item.record["tests"]]
    return tested(answer, tests)


MBPP = Suite(
    "mbpp",
    score,
    max_tokens=MAX_TOKENS,
    item=item,
    source=Source(
        "google-research-datasets/mbpp",
        config="full",
        licence="CC-BY-4.0",
        about="https://github.com/google-research/google-research/tree/master/mbpp",
    ),
)
