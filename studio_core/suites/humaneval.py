"""HumanEval: 164 functions to be written from their docstrings, scored by running their tests.

Chen et al. 2021, "Evaluating Large Language Models Trained on Code" (arXiv 2107.03374). Its own measure is pass@k
(``statistics/pass_at_k.py``); greedy and one answer to each question, the mean is pass@1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from studio_core.programs.testing import code_of
from studio_core.suites.base import Item, Source, Suite, Verdict, asked
from studio_core.suites.code_answers import MAX_TOKENS, tested

QUESTION = """Complete this Python function. Answer with the whole function in one block of code.

```python
{prompt}
```"""


def item(suite: str, record: Mapping[str, Any], number: int) -> Item:
    """``task_id``, ``prompt``, ``test``, ``entry_point``, ``canonical_solution``."""
    kept = {name: str(record[name]) for name in ("prompt", "test", "entry_point", "canonical_solution")}
    question = QUESTION.format(prompt=kept["prompt"].strip("\n"))
    return Item(suite, "", asked(question), "", id=str(record["task_id"]), record=kept)


def score(item: Item, answer: str) -> Verdict:
    """A whole function runs after the prompt, whose imports and helpers it may use; a body continues it."""
    prompt, name = item.record["prompt"], re.escape(item.record["entry_point"])
    code, before = code_of(answer), prompt
    if not re.search(rf"^(?:(?:async )?def {name}\b|{name}\s*[=:])", code, re.MULTILINE):
        # The space in front of an answer is not kept, that of its other lines is.
        code, before = f"{prompt}    {code.lstrip()}", ""
    return tested(
        answer, [item.record["test"]], entry_point=item.record["entry_point"], before=before, code=code
    )


HUMANEVAL = Suite(
    "humaneval",
    score,
    max_tokens=MAX_TOKENS,
    item=item,
    source=Source("openai/openai_humaneval", licence="MIT", about="https://github.com/openai/human-eval"),
)
