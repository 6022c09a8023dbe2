"""The Berkeley Function Calling Leaderboard: its categories of one turn, checked without calling anything.

Patil et al. 2025, "The Berkeley Function Calling Leaderboard". A question comes with functions; right is an answer
whose calls are, as a syntax tree, among the accepted ones. The functions stand in the system prompt, since many models
have no place for tools; ``Item.record["tools"]`` has them as OpenAI writes them, for those that have one.

It is published as two files for each category. A line here is both, as ``joined`` makes it: ``id``, ``question``,
``function`` and ``ground_truth``, a list of ``{function: {argument: [accepted values]}}``, where ``""`` among the
values says that the argument may be left out. Irrelevance and relevance have no ground truth: right is an answer
without a call, and with any. Several turns are checked by carrying calls out (``benchmarks/bfcl_multi_turn.py``);
Java and JavaScript are not here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from studio_core.data.shapes import Message
from studio_core.data.tool_calls import Call, calls_of_answer
from studio_core.suites.base import Item, Source, Suite, Verdict, asked

SYSTEM = """You can call these functions, each given with the JSON schema of its arguments:

{functions}

Answer with nothing but a JSON list of the calls that the question needs:
[{{"name": "function", "arguments": {{"argument": "value"}}}}]
If no function serves the question, or an argument that it requires is not given, say so in words, without a call."""

_SCHEMA_TYPES = {"dict": "object", "float": "number", "tuple": "array"}
"""The benchmark's names of types are Python's; those of JSON schema."""
_TYPES: dict[str, type] = {
    "string": str,
    "integer": int,
    "float": float,
    "boolean": bool,
    "array": list,
    "tuple": list,
    "dict": dict,
}
"""``any`` is none of them: everything will do."""
_LEFT_OUT = ""
"""Among accepted values: the argument may be missing."""
# What the benchmark says makes no difference in a text; nor do capitals, nor which quotes there are.
_IGNORED = re.compile(r"[ ,./\-_*^]")

Accepted = Mapping[str, Sequence[Any]]
"""Arguments, and the values that each may have."""


def joined(
    questions: Iterable[Mapping[str, Any]], answers: Iterable[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Records of the file of questions, each with the ``ground_truth`` of the same ``id``.

    Raises KeyError, with the id, for a question without an answer.
    """
    # A file that is not one of answers has neither: then no record becomes a question.
    truths = {answer.get("id"): answer.get("ground_truth") for answer in answers}
    for question in questions:
        yield {**question, "ground_truth": truths[question["id"]]}


def item(suite: str, record: Mapping[str, Any], number: int) -> Item:
    turns = record["question"]
    if len(turns) != 1:
        raise ValueError("question")  # Several turns are another category, checked by carrying calls out.
    truth = [] if suite.endswith("relevance") else record["ground_truth"]
    if not truth and not suite.endswith("relevance"):
        raise ValueError("ground_truth")
    functions = [
        {**function, "parameters": _schema(function["parameters"])} for function in record["function"]
    ]
    listed = "\n".join(json.dumps(function, ensure_ascii=False) for function in functions)
    messages: list[Message] = [{"role": each["role"], "content": str(each["content"])} for each in turns[0]]
    system = "".join(f"\n\n{each['content']}" for each in messages if each["role"] == "system")
    first = asked("", SYSTEM.format(functions=listed) + system)[:1]
    return Item(
        suite,
        "",
        (*first, *(each for each in messages if each["role"] != "system")),
        json.dumps(truth, ensure_ascii=False) if truth else "",
        id=str(record["id"]),
        record={
            "functions": record["function"],
            "ground_truth": truth,
            "tools": [{"type": "function", "function": function} for function in functions],
        },
    )


def _schema(described: Any) -> Any:
    """JSON schema of the benchmark's description of arguments."""
    if isinstance(described, list):
        return [_schema(each) for each in described]
    if not isinstance(described, dict):
        return described
    schema = {name: _schema(value) for name, value in described.items()}
    # An argument may be called "type": then it is described, not named.
    if isinstance(kind := schema.get("type"), str):
        schema["type"] = _SCHEMA_TYPES.get(kind, kind)
        if kind == "any":
            del schema["type"]
    return schema


def score_calls(item: Item, answer: str) -> Verdict:
    """1 if the answer's calls are the accepted ones, in any order."""
    calls = calls_of_answer(answer)
    if not calls or not all(call.name for call in calls):
        return Verdict(0.0, "no_call", readable=False)
    truth: list[Mapping[str, Accepted]] = item.record["ground_truth"]
    if len(calls) != len(truth):
        return Verdict(0.0, "number_of_calls", {"wanted": len(truth), "got": len(calls)})
    functions = {function["name"]: function["parameters"] for function in item.record["functions"]}
    left = list(calls)
    for wanted in truth:
        [(name, accepted)] = wanted.items()
        verdicts = [check_call(call, name, accepted, functions[name]) for call in left]
        right = next((place for place, verdict in enumerate(verdicts) if verdict.value == 1), None)
        if right is None:
            # Of several calls the one of the same function says most.
            same = (verdict for call, verdict in zip(left, verdicts, strict=True) if call.name == name)
            return next(same, verdicts[0])
        del left[right]
    return Verdict(1.0)


def score_no_call(item: Item, answer: str) -> Verdict:
    """1 if the answer calls nothing."""
    calls = calls_of_answer(answer)
    return Verdict(0.0, "needless_call", {"name": calls[0].name or "-"}) if calls else Verdict(1.0)


def score_any_call(item: Item, answer: str) -> Verdict:
    """1 if the answer calls something: whether with the right arguments is not asked."""
    calls = calls_of_answer(answer)
    good = bool(calls) and all(call.name for call in calls)
    return Verdict(1.0) if good else Verdict(0.0, "no_call", readable=False)


def check_call(call: Call, name: str, accepted: Accepted, parameters: Mapping[str, Any]) -> Verdict:
    """Whether a call is that of the function ``name`` with accepted arguments; ``parameters`` describes them."""
    if call.name != name:
        return Verdict(0.0, "wrong_function", {"wanted": name, "got": call.name})
    described = parameters["properties"]
    for argument, value in call.arguments.items():
        values = {"argument": argument, "got": _shown(value)}
        if argument not in described or argument not in accepted:
            return Verdict(0.0, "extra_argument", values)
        kind = described[argument]
        if not (has_type(value, kind) or _of_an_accepted_type(value, accepted[argument])):
            return Verdict(0.0, "wrong_type", {**values, "wanted": kind.get("type", "any")})
        if not is_accepted(value, accepted[argument]):
            return Verdict(0.0, "wrong_value", {**values, "wanted": _shown(list(accepted[argument]))})
    required = parameters.get("required") or []
    for argument, values_of in accepted.items():
        if argument not in call.arguments and (argument in required or _LEFT_OUT not in values_of):
            return Verdict(0.0, "missing_argument", {"argument": argument})
    return Verdict(1.0)


def has_type(value: Any, described: Mapping[str, Any]) -> bool:
    """Whether a value is of the described type, exactly: True is no integer, 5.0 is none, but 5 is a float."""
    wanted = _TYPES.get(str(described.get("type")))
    if wanted is None:
        return True
    if wanted is float:
        return type(value) in (int, float)
    if wanted is not list:
        return type(value) is wanted
    items = described.get("items") or {}
    return type(value) in (list, tuple) and all(has_type(each, items) for each in value)


def _of_an_accepted_type(value: Any, accepted: Sequence[Any]) -> bool:
    """Some accepted values are of another type than the described one, such as null: these will do."""
    return any(type(value) is type(each) and each != _LEFT_OUT for each in accepted)


def is_accepted(value: Any, accepted: Sequence[Any]) -> bool:
    """Whether a value is one of those accepted; an object's accepted values are those of each of its keys."""
    return any(_same(value, each) for each in accepted)


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(value, dict) and _same_object(value, wanted)
    if isinstance(wanted, list):
        return (
            isinstance(value, list | tuple) and len(value) == len(wanted) and all(map(_same, value, wanted))
        )
    if isinstance(wanted, str):
        return isinstance(value, str) and _bare(value) == _bare(wanted)
    # In Python True is 1.
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def _same_object(value: Mapping[str, Any], wanted: Accepted) -> bool:
    known = all(key in wanted and is_accepted(each, wanted[key]) for key, each in value.items())
    return known and all(key in value or _LEFT_OUT in accepted for key, accepted in wanted.items())


def _bare(text: str) -> str:
    return _IGNORED.sub("", text).lower().replace("'", '"')


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)[:120]


_suite = partial(
    Suite,
    # The longest accepted answer has eight calls of some forty tokens each.
    max_tokens=512,
    item=item,
    # Two files, which no configuration of a dataset loads: a person brings them.
    source=Source("", licence="Apache-2.0", about="https://gorilla.cs.berkeley.edu/leaderboard.html"),
)
_with_answers = partial(_suite, joined=joined)
_CALLS = ("simple", "multiple", "parallel", "parallel_multiple")
BFCL = tuple(
    suite(f"bfcl_{category}", score)
    for suite, categories, score in (
        # Of live questions, which people asked, there is one set for each of these too.
        (_with_answers, (*_CALLS, *(f"live_{name}" for name in _CALLS)), score_calls),
        (_suite, ("irrelevance", "live_irrelevance"), score_no_call),
        (_suite, ("live_relevance",), score_any_call),
    )
    for category in categories
)
