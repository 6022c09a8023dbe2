"""What a run that learns from its own answers is handed over with: prompts, and its rewards as a program.

The program imports the rewards of this studio, so that they are the same to the last digit; they need no torch. Each
row has the record that asked, as JSON, since a reward may look into any of its columns.
"""

from __future__ import annotations

import json

from studio_core import methods
from studio_core.base.errors import BadInput
from studio_core.data import tokenized
from studio_core.data.exports import tools
from studio_core.data.shapes import Record
from studio_core.handover.base import Given
from studio_core.methods.rollouts import rewards_of
from studio_core.rewards import named

PROGRAM, CHOSEN = "rewards.py", "rewards.json"
RECORD = "record"
"""The column with the record as JSON."""

_SOURCE = '''"""The rewards of the run. Needs Tunesmith's folder on PYTHONPATH, and pydantic, pyarrow and numpy."""

import json
import math
from pathlib import Path

from studio_core import rewards

_SAID = json.loads((Path(__file__).parent / "rewards.json").read_text(encoding="utf-8"))
_SCORES = [(each["weight"], rewards.scores(each["name"], each["options"])) for each in _SAID["rewards"]]


def value(answer, record):
    """The weighted sum of the rewards of an answer; one that has no say of it adds nothing."""
    record = json.loads(record)
    asked = [(record["prompt"][-1]["content"], answer, record)]
    said = [(weight, scores(asked)[0]) for weight, scores in _SCORES]
    return sum(weight * one for weight, one in said if not isinstance(one, Exception) and math.isfinite(one))
'''

ENDS = {
    "openrlhf": '''

def reward_func(queries, prompts, labels, **_):
    """What OpenRLHF calls: ``queries`` are prompts with their answers, special tokens included."""
    import torch

    found = torch.tensor([value(_answer(*each), record) for *each, record in zip(queries, prompts, labels)])
    return {"rewards": found, "scores": found, "extra_logs": {}}


def _answer(query, prompt):
    if not query.startswith(prompt):
        raise ValueError("the answer does not begin with its prompt")
    answer = query[len(prompt) :]
    for end in _SAID["ends"]:
        answer = answer.removesuffix(end)
    return answer
''',
    "verl": '''

def compute_score(data_source, solution_str, ground_truth, extra_info=None, **_):
    """What verl calls: ``ground_truth`` is the record."""
    return value(solution_str, ground_truth)
''',
    "ms-swift": '''

from swift.rewards import ORM, orms


class Tunesmith(ORM):
    """What ms-swift calls, with the column ``record``."""

    def __call__(self, completions, record, **_):
        return [value(*each) for each in zip(completions, record)]


orms["tunesmith"] = Tunesmith
''',
}
"""The function by which each trainer calls the program."""


def asked(record: Record) -> Record:
    """The record as rewards look at it: ``prompt`` are the messages before the answer."""
    messages = record["messages"] if "messages" in record else record["prompt"]
    return {**record, "prompt": messages[:-1] if messages[-1]["role"] == "assistant" else messages}


def as_json(record: Record) -> str:
    """The record for the column ``record``. Raises ``Unfit`` if its prompt tells of tools."""
    return json.dumps(tools.without_tools(asked(record)), ensure_ascii=False, default=str)


def check(given: Given) -> None:
    """Raises ``BadInput`` for rewards that ask a model, and for answers over several turns."""
    for choice in rewards_of(given.run.spec):
        reward = named(choice.name)
        if reward.role or reward.service(reward.checked(choice.options)):
            raise BadInput("handover.no_reward", reward=choice.name, trainer=given.trainer)
    given.choice("environment", {"none": None})
    given.ignore("max_turns", "tools_in_prompt", "rollouts_kept", "truncation")


def files(given: Given) -> dict[str, str]:
    """The program and what it reads; nothing for a run without rewards."""
    if not methods.named(given.method).rewards:
        return {}
    end = tokenized.end_of_turn(given.run.model)
    chosen = [choice.model_dump() for choice in rewards_of(given.run.spec)]
    said = {"rewards": chosen, "ends": [end.learnt] if end.learnt else []}
    return {
        PROGRAM: _SOURCE + ENDS[given.name],
        CHOSEN: json.dumps(said, ensure_ascii=False, indent=2) + "\n",
    }
