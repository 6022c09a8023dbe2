"""Rows become records, or say why not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from studio_core import texts
from studio_core.data.checks import converter
from studio_core.data.mapping import Mapping, guess
from studio_core.data.shapes import COLUMNS, Shape
from studio_core.data.turns import Rejected


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def system(text: str) -> dict[str, str]:
    return {"role": "system", "content": text}


def gpt(text: str) -> dict[str, str]:
    return {"from": "gpt", "value": text}


def human(text: str) -> dict[str, str]:
    return {"from": "human", "value": text}


def convert(row: dict[str, Any]) -> tuple[Shape, dict[str, Any]]:
    mapping = guess(list(row), [row]).mapping
    assert not mapping.missing()
    return mapping.shape, converter(mapping)(row)


def reason(row: Any, mapping: Mapping) -> str:
    with pytest.raises(Rejected) as raised:
        converter(mapping)(row)
    for language in texts.LANGUAGES:
        sentence = texts.text(f"data.row_{raised.value.code}", language, **raised.value.values)
    return texts.text(f"data.row_{raised.value.code}", **raised.value.values) if sentence else ""


QA = {"prompt": [user("q")], "completion": [assistant("a")]}
PAIR = {"prompt": [user("q")], "chosen": [assistant("a")], "rejected": [assistant("b")]}
TOOLS = [{"name": "now", "parameters": {}}]

RECOGNISED: list[tuple[dict[str, Any], Shape, dict[str, Any]]] = [
    ({"text": "a"}, Shape.TEXT, {"text": "a"}),
    ({"whatever": "a"}, Shape.TEXT, {"text": "a"}),
    ({"prompt": "q", "completion": "a"}, Shape.PROMPT_COMPLETION, QA),
    ({"question": "q", "answer": "a"}, Shape.PROMPT_COMPLETION, QA),
    ({"Prompt ": "q", "Response": "a"}, Shape.PROMPT_COMPLETION, QA),
    ({"instruction": "q", "input": "", "output": "a"}, Shape.PROMPT_COMPLETION, QA),
    (
        {"instruction": "q", "input": "i", "output": "a", "system": "s", "history": [["x", "y"]]},
        Shape.PROMPT_COMPLETION,
        {"prompt": [system("s"), user("x"), assistant("y"), user("q\ni")], "completion": [assistant("a")]},
    ),
    ({"prompt": [user("q")], "completion": [assistant("a")]}, Shape.PROMPT_COMPLETION, QA),
    ({"messages": [user("q"), assistant("a")]}, Shape.CHAT, {"messages": [user("q"), assistant("a")]}),
    (
        {"conversations": [{"from": "system", "value": "s"}, human("q"), gpt("a")]},
        Shape.CHAT,
        {"messages": [system("s"), user("q"), assistant("a")]},
    ),
    (
        {"messages": json.dumps([user("q"), assistant("a")])},
        Shape.CHAT,
        {"messages": [user("q"), assistant("a")]},
    ),
    (
        {"messages": [user([{"type": "text", "text": "q"}]), assistant("a")]},  # type: ignore[arg-type]
        Shape.CHAT,
        {"messages": [user("q"), assistant("a")]},
    ),
    ({"prompt": "q", "chosen": "a", "rejected": "b"}, Shape.PREFERENCE, PAIR),
    ({"conversations": [human("q")], "chosen": gpt("a"), "rejected": gpt("b")}, Shape.PREFERENCE, PAIR),
    (
        {"chosen": [user("q"), assistant("a")], "rejected": [user("q"), assistant("b")]},
        Shape.PREFERENCE,
        PAIR,
    ),
    (
        {"prompt": "q", "chosen": [user("q"), assistant("a")], "rejected": [user("q"), assistant("b")]},
        Shape.PREFERENCE,
        PAIR,
    ),
    (
        {"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: q\n\nAssistant: b"},
        Shape.PREFERENCE,
        PAIR,
    ),
    (
        {"input": {"messages": [user("q")]}, "preferred_output": [assistant("a")],
         "non_preferred_output": [assistant("b")]},
        Shape.PREFERENCE,
        PAIR,
    ),
    ({"prompt": "q", "completion": "a", "label": True}, Shape.UNPAIRED_PREFERENCE, {**QA, "label": True}),
    (
        {"messages": [user("q"), assistant("a")], "label": "False"},
        Shape.UNPAIRED_PREFERENCE,
        {**QA, "label": False},
    ),
    ({"prompt": "q", "n": 3, "l": [1]}, Shape.PROMPT_ONLY, {"prompt": [user("q")], "n": "3", "l": "[1]"}),
    ({"prompt": [user("q")], "answer": "72"}, Shape.PROMPT_ONLY, {"prompt": [user("q")], "answer": "72"}),
]  # fmt: skip


@pytest.mark.parametrize(("row", "shape", "record"), RECOGNISED)
def test_every_way_of_writing_becomes_the_stored_form(
    row: dict[str, Any], shape: Shape, record: dict[str, Any]
) -> None:
    assert convert(row) == (shape, record)
    assert tuple(record)[: len(COLUMNS[shape])] == COLUMNS[shape]


def test_tool_calls_of_sharegpt_are_kept() -> None:
    turns = [human("q"), {"from": "function_call", "value": '{"name": "now"}'},
             {"from": "observation", "value": "12"}, gpt("noon")]  # fmt: skip
    _, record = convert({"conversations": turns, "tools": json.dumps(TOOLS)})
    messages = record["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert '{"name": "now", "parameters": {}}' in messages[0]["content"]
    assert messages[2]["content"] == '<tool_call>\n{"name": "now"}\n</tool_call>'


def test_tool_calls_of_openai_are_kept() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "now", "arguments": '{"zone": "UTC"}'}}
    turns = [user("q"), {"role": "assistant", "content": None, "tool_calls": [call]},
             {"role": "tool", "content": "12"}, assistant("noon")]  # fmt: skip
    _, record = convert({"messages": turns})
    assert record["messages"][1]["content"] == (
        '<tool_call>\n{"name": "now", "arguments": {"zone": "UTC"}}\n</tool_call>'
    )


CHAT = Mapping(shape=Shape.CHAT, columns={"messages": "m"})
SFT = Mapping(shape=Shape.PROMPT_COMPLETION, columns={"prompt": "p", "completion": "c"})
DPO = Mapping(shape=Shape.PREFERENCE, columns={"prompt": "p", "chosen": "c", "rejected": "r"})
DPO_IMPLICIT = Mapping(shape=Shape.PREFERENCE, columns={"chosen": "c", "rejected": "r"})
KTO = Mapping(shape=Shape.UNPAIRED_PREFERENCE, columns={"prompt": "p", "completion": "c", "label": "l"})
TEXT = Mapping(shape=Shape.TEXT, columns={"text": "t"})

REFUSED: list[tuple[Mapping, Any, str]] = [
    (TEXT, {"t": " "}, "'t' is empty"),
    (TEXT, {"t": ["a"]}, "'t' is a list, not text"),
    (TEXT, {"t": True}, "'t' is a bool, not text"),
    (TEXT, {"other": "a"}, "it has no 't'"),
    (TEXT, {"t": "x" * 2_000_001}, "'t' has 2000001 characters; at most 2000000 are allowed"),
    (TEXT, {"t": "\ud800"}, "'t' holds half of a character (a lone surrogate), which is no Unicode"),
    (TEXT, 42, "it is a int, not an object with named fields"),
    (SFT, {"p": "q"}, "it has no 'c'"),
    (SFT, {"p": "", "c": "a"}, "the prompt in 'p' is empty"),
    (SFT, {"p": "q", "c": "  "}, "the answer in 'c' is empty (turn 1)"),
    (SFT, {"p": "q", "c": None}, "the answer in 'c' is empty (turn 1)"),
    (
        SFT,
        {"p": [user("q"), assistant("a")], "c": "b"},
        "the prompt in 'p' ends with an answer of the assistant",
    ),
    (SFT, {"p": "q", "c": [user("a")]}, "turn 1 of 'c' is of user; expected was assistant"),
    (CHAT, {"m": []}, "'m' has no turns"),
    (CHAT, {"m": ["a", "b"]}, "turn 1 of 'm' is a str, not a role and a text"),
    (CHAT, {"m": [user("q")]}, "'m' has no turn of the assistant"),
    (CHAT, {"m": [user("q"), assistant("")]}, "the answer in 'm' is empty (turn 2)"),
    (CHAT, {"m": [user(" "), assistant("a")]}, "turn 1 of 'm' (user) is empty"),
    (CHAT, {"m": [user("q"), assistant("a"), user("r")]}, "'m' ends with a turn of user, without an answer"),
    (CHAT, {"m": [assistant("a"), user("q")]}, "turn 1 of 'm' is of assistant; expected was system / user"),
    (CHAT, {"m": [user("q"), user("r")]}, "turn 2 of 'm' is of user; expected was assistant"),
    (CHAT, {"m": [user("q"), system("s")]}, "turn 2 of 'm' is of system; expected was assistant"),
    (CHAT, {"m": [{"role": "wizard", "content": "x"}]}, "turn 1 of 'm' has the unknown role 'wizard'"),
    (CHAT, {"m": [{"content": "x"}]}, "turn 1 of 'm' has the unknown role 'None'"),
    (
        CHAT,
        {"m": [user([{"type": "image_url"}]), assistant("a")]},  # type: ignore[arg-type]
        "turn 1 of 'm' holds only an image; images are left out, and nothing remains",
    ),
    (DPO, {"p": "q", "c": "a", "r": "a"}, "'c' and 'r' are the same"),
    (DPO, {"p": "q", "c": "a", "r": ""}, "the answer in 'r' is empty (turn 1)"),
    (DPO, {"p": "", "c": "a", "r": "b"}, "the prompt in 'p' is empty"),
    (DPO_IMPLICIT, {"c": "a", "r": "b"}, "'c' and 'r' share no prompt"),
    (DPO_IMPLICIT, {"c": [assistant("a")] * 2, "r": "b"}, "there is no prompt, and 'c' does not begin with one"),
    (
        DPO_IMPLICIT,
        {"c": [user("q"), assistant("a")], "r": [user("z"), assistant("b")]},
        "'c' and 'r' share no prompt",
    ),
    (KTO, {"p": "q", "c": "a", "l": "perhaps"}, "'l' is 'perhaps', neither true nor false"),
    (KTO, {"p": "q", "c": "a", "l": 2}, "'l' is '2', neither true nor false"),
]  # fmt: skip


@pytest.mark.parametrize(("mapping", "row", "sentence"), REFUSED)
def test_what_cannot_be_used_says_why(mapping: Mapping, row: Any, sentence: str) -> None:
    assert reason(row, mapping) == sentence


@pytest.mark.parametrize("start", ["[{", '{"a":'])
def test_a_cell_nested_without_end_is_text(start: str) -> None:
    cell = start * 50_000 + "}]"
    assert converter(SFT)({"p": cell, "c": "a"})["prompt"] == [user(cell)]


def test_placeholders_are_filled_in_everywhere() -> None:
    mapping = Mapping(
        shape=Shape.CHAT,
        columns={"messages": "m"},
        constants={"system": "You are {{name}}."},
        fill={"name": "Ada"},
    )
    row = {"m": [user("Who is {{ name }}?"), assistant("{{name}}, by {{author}}, {{ 1 + 1 }}")]}
    assert converter(mapping)(row)["messages"] == [
        system("You are Ada."),
        user("Who is Ada?"),
        assistant("Ada, by {{author}}, {{ 1 + 1 }}"),
    ]


def test_a_system_prompt_for_all_gives_way_to_the_conversations_own() -> None:
    mapping = Mapping(shape=Shape.CHAT, columns={"messages": "m", "system": "s"}, constants={"system": "all"})
    convert_one = converter(mapping)

    def opening(**row: Any) -> str:
        return convert_one(row)["messages"][0]["content"]

    turns = [user("q"), assistant("a")]
    assert opening(m=turns) == "all"
    assert opening(m=turns, s="row") == "row"
    assert opening(m=[system("own"), *turns]) == "own"
    assert opening(m=[system("own"), *turns], s="row") == "own\n\nrow"


def test_a_value_is_never_a_template_of_its_own() -> None:
    mapping = Mapping(shape=Shape.TEXT, columns={"text": "t"}, fill={"a": "{{b}} \\1", "b": "no"})
    assert converter(mapping)({"t": "{{a}}"}) == {"text": "{{b}} \\1"}


def test_columns_that_say_nothing_leave_parts_open() -> None:
    found = guess(["x", "y"], [{"x": "1", "y": "2"}])
    assert not found.sure
    assert found.mapping.missing() == ["prompt", "completion"]


def test_a_label_that_is_a_class_is_no_rating() -> None:
    rows = [{"text": "a", "label": "sports"}, {"text": "b", "label": "world"}]
    assert guess(["text", "label"], rows).mapping.shape is Shape.TEXT


def test_a_kept_column_does_not_take_the_place_of_the_prompt() -> None:
    mapping = Mapping(shape=Shape.PROMPT_ONLY, templates={"prompt": "{{id}}?"}, keep=["prompt", "note"])
    record = converter(mapping)({"id": "7", "prompt": "Why?", "note": "n"})
    assert record == {"prompt": [user("7?")], "note": "n"}
