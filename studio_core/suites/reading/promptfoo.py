"""Tests of promptfoo: a document of YAML or JSON with ``prompts``, ``tests`` and perhaps a ``defaultTest``.

Each test is asked with each prompt, and a variable with several values makes a test of each. Templates are plain
``{{name}}``; whatever would run code, read another file or ask a judge is refused by its name. Which models answer
(``providers``) is asked elsewhere.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from studio_core.base.errors import BadInput
from studio_core.suites.assertions import CHECKS
from studio_core.suites.reading.openai_evals import CLASSES

# Of items: a document of a few lines may ask for all combinations of its variables' values.
MOST = 100_000

KNOWN = [name for name in CHECKS if name not in CLASSES.values()]
JUDGED = (
    *(
        "answer-relevance",
        "classifier",
        "context-faithfulness",
        "context-recall",
        "context-relevance",
        "factuality",
    ),
    *(
        "g-eval",
        "llm-rubric",
        "model-graded-closedqa",
        "model-graded-factuality",
        "moderation",
        "search-rubric",
    ),
    *("select-best", "similar"),
)
CODE = ("javascript", "python", "ruby", "webhook")

# What is read, and what says nothing about questions and scores.
_OF_DOCUMENT = {
    *("prompts", "tests", "defaultTest"),
    *("commandLineOptions", "description", "evaluateOptions", "outputPath", "providers", "sharing", "tags", "targets"),
    "writeLatestResults",
}  # fmt: skip
_OF_TEST = {"vars", "assert", "threshold", "description", "metadata"}
_OF_ASSERTION = {"type", "value", "weight", "metric"}

_PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


@dataclass(frozen=True)
class Part:
    """A part of the document, for errors that say where."""

    file: str
    place: str

    def error(self, key: str, **values: Any) -> BadInput:
        return BadInput(f"suites.promptfoo_{key}", file=self.file, place=self.place, **values)

    def mapping(self, value: Any, known: set[str]) -> Mapping[str, Any]:
        """Whatever else a part says would change questions or scores: it is not dropped without a word."""
        if not isinstance(value, dict):
            raise self.error("shape", value=f"{value!r:.80}")
        for name in value:
            if name not in known:
                raise self.error("field", field=str(name)[:40], known=", ".join(sorted(known)))
        return value

    def entries(self, value: Any) -> list[Any]:
        if isinstance(value, str):
            self.require_no_reference(value)
        if not isinstance(value, list):
            raise self.error("shape", value=f"{value!r:.80}")
        return value

    def number(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error("shape", value=f"{value!r:.80}")
        return float(value)

    def require_no_reference(self, text: str) -> None:
        if text.strip().startswith("file://"):
            raise self.error("reference", reference=text.strip()[:80])


def is_document(document: Any) -> bool:
    return isinstance(document, dict) and "prompts" in document and "tests" in document


def items(document: Mapping[str, Any], file: str) -> Iterator[dict[str, Any]]:
    """Lines of a file of items; raises ``BadInput`` that quotes what is not read."""
    Part(file, "document").mapping(document, _OF_DOCUMENT)
    part = Part(file, "prompts")
    prompts = [_prompt(part, prompt) for prompt in part.entries(document["prompts"])]
    common = Part(file, "defaultTest").mapping(document.get("defaultTest") or {}, _OF_TEST)
    count = 0
    for number, test in enumerate(Part(file, "tests").entries(document["tests"]), start=1):
        part = Part(file, f"test {number}")
        for line in _of_test(part, str(number), prompts, common, part.mapping(test, _OF_TEST)):
            if (count := count + 1) > MOST:
                raise part.error("too_many", most=MOST)
            yield line


def _prompt(part: Part, prompt: Any) -> list[dict[str, str]]:
    """A prompt as messages: a text, a text that is JSON of messages, or either under ``raw``."""
    text = prompt.get("raw") if isinstance(prompt, dict) else prompt
    if not isinstance(text, str) or not text.strip():
        raise part.error("shape", value=f"{prompt!r:.80}")
    part.require_no_reference(text)
    try:
        messages = json.loads(text)
    except (ValueError, RecursionError):
        messages = None
    if not isinstance(messages, list):
        return [{"role": "user", "content": text}]
    for message in messages:
        written = isinstance(message, dict) and {*message} == {"role", "content"}
        if not written or not isinstance(message["content"], str):
            raise part.error("shape", value=f"{message!r:.80}")
        if message["role"] not in ("system", "user", "assistant"):
            raise part.error("shape", value=f"{message['role']!r:.80}")
    return messages


def _of_test(
    part: Part,
    number: str,
    prompts: list[list[dict[str, str]]],
    common: Mapping[str, Any],
    test: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """A line for each prompt and combination of values; those of one test are one cluster."""
    checks = [check for each in (common, test) for check in part.entries(each.get("assert") or [])]
    if not checks:
        raise part.error("no_assert")
    combinations = _combinations(part, common.get("vars") or {}, test.get("vars") or {})
    threshold = test.get("threshold", common.get("threshold"))
    several = len(prompts) * len(combinations) > 1
    for place, (values, (which, messages)) in enumerate(
        itertools.product(combinations, enumerate(prompts, start=1)), start=1
    ):
        yield {
            "id": f"{number}.{place}" if several else number,
            "kind": f"prompt {which}" if len(prompts) > 1 else "",
            "cluster": number if several else "",
            "messages": [
                {**message, "content": _filled(part, message["content"], values)} for message in messages
            ],
            "checks": [_check(part, check, values) for check in checks],
            **({} if threshold is None else {"threshold": part.number(threshold)}),
        }


def _combinations(part: Part, common: Any, own: Any) -> list[dict[str, str]]:
    """The values of variables; one that is a list has each of its values once."""
    for each in (common, own):
        if not isinstance(each, dict):
            raise part.error("shape", value=f"{each!r:.80}")
    values = {str(name): value for name, value in {**common, **own}.items()}
    several = [
        [_text(part, each) for each in (value if isinstance(value, list) else [value])]
        for value in values.values()
    ]
    # One more than there may be, so that too many are told.
    chosen = itertools.islice(itertools.product(*several), MOST + 1)
    return [dict(zip(values, each, strict=True)) for each in chosen]


def _text(part: Part, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    part.require_no_reference(text)
    return text


def _check(part: Part, check: Any, values: Mapping[str, str]) -> dict[str, Any]:
    check = part.mapping(check, _OF_ASSERTION)
    name = str(check.get("type", ""))
    bare = name.removeprefix("not-")
    for key, refused in (("judged", JUDGED), ("code", CODE)):
        if bare in refused:
            raise part.error(key, type=name)
    if bare not in KNOWN:
        raise part.error("assert", type=name[:40], known=", ".join(KNOWN))
    value = _value(part, check.get("value"), values)
    if (value is None) is not (bare in ("is-json", "contains-json")):
        # Of JSON a schema would be, into which nothing looks; the others have nothing to look for.
        raise part.error("value", type=name, value=f"{value!r:.80}")
    if bare.endswith(("-any", "-all")) and isinstance(value, str):
        value = [each.strip() for each in value.split(",")]
    if bare == "regex":
        _require_pattern(part, str(value))
    return {
        "type": bare,
        **({} if value is None else {"value": value}),
        **({"not": True} if bare != name else {}),
        **({"weight": part.number(check["weight"])} if "weight" in check else {}),
    }


def _value(part: Part, value: Any, values: Mapping[str, str]) -> Any:
    """What an assertion compares with, filled in at every depth."""
    if isinstance(value, str):
        part.require_no_reference(value)
        return _filled(part, value, values)
    if isinstance(value, list):
        return [_value(part, each, values) for each in value]
    if isinstance(value, dict):
        return {str(key): _value(part, each, values) for key, each in value.items()}
    return value


def _filled(part: Part, text: str, values: Mapping[str, str]) -> str:
    """With all ``{{name}}`` replaced, once: what a value says is no template."""
    for template in _TEMPLATE.findall(text):
        place = _PLACE.fullmatch(template)
        if place is None:
            raise part.error("template", template=template[:80])
        if place[1] not in values:
            raise part.error("variable", name=place[1], known=", ".join(values) or "-")
    return _PLACE.sub(lambda place: values[place[1]], text)


def _require_pattern(part: Part, pattern: str) -> None:
    import regex  # Only here, as for the checks themselves.

    try:
        regex.compile(pattern)
    except regex.error as error:
        raise part.error("pattern", pattern=pattern[:80], reason=str(error)) from error
