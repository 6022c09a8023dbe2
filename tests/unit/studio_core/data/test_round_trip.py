"""What is exported and brought in again is what it was, in every shape, layout and format that allows it.

``HYPOTHESIS_PROFILE=deep`` tries thirty times as many records.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio_core.base.errors import BadInput
from studio_core.data import exports, parquet, readers
from studio_core.data.cells import escape_formula, unescape_formula
from studio_core.data.checks import converter
from studio_core.data.columns import columns_of
from studio_core.data.exports.layouts import FORMATS, LAYOUTS
from studio_core.data.guesses import guess
from studio_core.data.mapping import Mapping
from studio_core.data.shapes import Record, Shape, further_columns
from studio_core.data.turns import Rejected
from studio_core.texts import LANGUAGES, catalogue

CALL = '<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>'
TOOLS = (
    '[{"type": "function", "function": {"name": "f", "parameters": {"properties": {"ü": {"type": "=1"}}}}}]'
)
NASTY = [
    "=1+1", "'=1+1", "''=1", "'", "''", "'tis", "+1 a", "-5", "- item", "@x", "\t=x", "\r\n=x", " =x", "＝1",
    "a\nb", "a\r\nb", "a\rb", '"quoted"', '"', "a,b;c\td|e", "\ufeffbom", "\x00nul", "\u2028line\u2029", "\x85",
    "NaN", "null", "1.0", "007", "1e5", "true", "", " ", "\n", "{{name}}", "<image>",
    '[{"role": "user", "content": "in a text"}]', '{"role": "x"}', '{"messages": []}', "[]", "[[", '[["a", "b"]]',
    "\n\nHuman: a\n\nAssistant: b", "Human: a\n\nAssistant: b",
    CALL, "<think>", "{'role': 'user', 'content': 'x'}", '{"from": "Oslo"}', "汉字", "👩‍👩‍👧", "e\u0301",
]  # fmt: skip

TEXTS = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.builds("".join, st.lists(st.sampled_from(NASTY), max_size=3)),
)


CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["f", "g"]),
            "arguments": st.dictionaries(
                st.sampled_from("xy"), st.one_of(st.none(), TEXTS, st.integers()), max_size=2
            ),
        },
        optional={"id": st.sampled_from(["a", "b"])},
    ),
    min_size=1,
    max_size=2,
).map(lambda calls: json.dumps(calls, ensure_ascii=False))


def turn(role: str) -> st.SearchStrategy[dict[str, Any]]:
    plain = st.builds(lambda text: {"role": role, "content": text}, TEXTS)
    more: dict[str, Any] = {"train": st.just(False)} | {
        "assistant": {"reasoning": st.sampled_from(["hm", "=1", "a\n\nb"]), "tool_calls": CALLS},
        "tool": {"name": st.just("f"), "tool_call_id": st.just("a")},
        "user": {"name": st.just("Ada")},
    }.get(role, {})
    rich = st.fixed_dictionaries({"role": st.just(role), "content": TEXTS}, optional=more)
    return st.one_of(plain, plain, rich)


def turns(*roles: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.tuples(*map(turn, roles)).map(list)


PROMPTS = st.one_of(
    turns("user"),
    turns("system", "user"),
    turns("user", "assistant", "user"),
    turns("system", "user", "assistant", "tool", "tool", "assistant", "user"),
    turns("user", "assistant", "tool"),
)
ANSWERS = st.one_of(turns("assistant"), turns("assistant", "tool", "assistant"))
NAMES = st.one_of(
    st.sampled_from(
        ["answer", "level", "system", "label", "completion", "=x", "a.b", "a", "a;b;c;d", "image"]
    ),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=5).map(str.strip),
).filter(lambda name: name not in ("", "prompt", "messages", "tools"))


def records(shape: Shape) -> st.SearchStrategy[list[Record]]:
    if shape is Shape.TEXT:
        one: Any = st.fixed_dictionaries({"text": TEXTS})
    elif shape is Shape.CHAT:
        one = st.builds(lambda prompt, answer: {"messages": prompt + answer}, PROMPTS, ANSWERS)
    elif shape is Shape.PROMPT_COMPLETION:
        one = st.fixed_dictionaries({"prompt": PROMPTS, "completion": ANSWERS})
    elif shape is Shape.PREFERENCE:
        one = st.fixed_dictionaries({"prompt": PROMPTS, "chosen": ANSWERS, "rejected": ANSWERS})
    elif shape is Shape.UNPAIRED_PREFERENCE:
        one = st.fixed_dictionaries({"prompt": PROMPTS, "completion": ANSWERS, "label": st.booleans()})
    elif shape is Shape.STEPWISE:
        steps = st.lists(st.tuples(TEXTS, st.booleans()), min_size=1, max_size=3)
        one = st.builds(
            lambda prompt, steps: {
                "prompt": prompt,
                "completions": [text for text, _ in steps],
                "labels": [good for _, good in steps],
            },
            PROMPTS,
            steps,
        )
    elif shape is Shape.SCORED:
        scores = st.floats(1, 10).map(lambda score: round(score, 2))
        one = st.fixed_dictionaries({"prompt": PROMPTS, "completion": ANSWERS, "score": scores})
    elif shape is Shape.RANKING:
        answers = st.lists(TEXTS, min_size=2, max_size=4)
        one = st.builds(
            lambda prompt, texts: {
                "prompt": prompt,
                "completions": texts,
                "ranks": [1, *(1 + (place + 1) // 2 for place in range(1, len(texts)))],
            },
            PROMPTS,
            answers,
        )
    else:
        values = st.one_of(st.none(), TEXTS)
        return st.lists(NAMES, max_size=3, unique=True).flatmap(
            lambda names: st.lists(
                st.fixed_dictionaries({"prompt": PROMPTS, **dict.fromkeys(names, values)}),
                min_size=1,
                max_size=4,
            )
        )
    if shape not in (Shape.TEXT, Shape.STEPWISE, Shape.RANKING):
        one = st.builds(
            lambda record, more: {**record, **more}, one, st.sampled_from([{}, {}, {"tools": TOOLS}])
        )
    return st.lists(one, min_size=1, max_size=4)


def importable(shape: Shape, given: list[Record]) -> list[Record]:
    """The records as the studio stores them; those that it would not take are left out."""
    names = list(given[0])
    layout = LAYOUTS["trl"].forms[shape]
    convert = converter(
        Mapping(
            shape=shape,
            columns=dict(layout.parts),
            keep=further_columns(shape, names),
        )
    )
    stored = []
    for record in given:
        try:
            first = convert(record)
            # What a text of its own is read as may itself be read as something else.
            if convert(first) == first:
                stored.append(first)
        except Rejected:
            continue
    return stored


EXAMPLES = {"quick": 10, "deep": 300}[os.environ.get("HYPOTHESIS_PROFILE", "quick")]

CASES = [
    (shape, layout.name, format)
    for layout in LAYOUTS.values()
    for shape in layout.forms
    for format in layout.formats
]


@pytest.mark.parametrize(("shape", "layout", "format"), CASES)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_round_trip_is_the_identity(shape: Shape, layout: str, format: str, data: st.DataObject) -> None:
    stored = importable(shape, data.draw(records(shape)))
    if not stored:
        return
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "stored.parquet", Path(folder) / f"out.{format}"
        kept = further_columns(shape, stored[0])
        with open(source, "w+b") as file:
            writer = parquet.Writer(file, shape, kept)
            for record in stored:
                writer.add(record)
            writer.close()
        try:
            plan = exports.plan(source, shape, layout, format)
        except BadInput as error:
            assert error.key == "exports.column_name"
            return
        fit = exports.fit(plan)
        left_out = {row for rows in fit.left_out.values() for row in rows.rows}
        changed = set(fit.changed.rows)
        assert fit.rows + len(left_out) == len(stored)
        if layout == "trl":
            assert set(fit.left_out) <= ({"nul"} if format == "csv" else set())
            assert not changed
        if not fit.rows:
            with pytest.raises(exports.LeftOut):
                exports.write(plan, target, skip=True)
            return
        written = exports.write(plan, target, skip=True)
        assert (written.rows, written.left_out) == (fit.rows, fit.left_out)
        again = target.read_bytes()
        exports.write(plan, target, skip=True)
        assert target.read_bytes() == again
        numbers = [number for number in range(1, len(stored) + 1) if number not in left_out]
        mapping = Mapping.model_validate(fit.mapping)
        rows = dict(readers.rows(readers.recognise(target)))
        convert = converter(mapping)
        for number, row in zip(numbers, rows.values(), strict=True):
            if number not in changed:
                assert convert(row) == plan.form.back(stored[number - 1])
        if fit.recognised:
            listed = list(rows.values())
            assert guess(columns_of(listed), listed).mapping == mapping


@given(TEXTS)
def test_defusing_is_undone(text: str) -> None:
    assert unescape_formula(escape_formula(text)) == text
    assert escape_formula(text)[:1] not in ("=", "@", "\t", "\r", "\n")


@pytest.mark.parametrize("text", ["'tis", "'quoted'", "it's", "''", "'-5"])
def test_apostrophes_of_others_stay(text: str) -> None:
    assert escape_formula(text) == text or unescape_formula(escape_formula(text)) == text
    if text != "''":
        assert unescape_formula(text) == text


def test_formats_and_layouts_have_their_texts() -> None:
    for layout in LAYOUTS.values():
        for language in LANGUAGES:
            assert catalogue(language)[layout.title_key] and catalogue(language)[layout.help_key]
        assert set(layout.formats) <= set(FORMATS)
