"""Rows become records, or say why not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from studio_core import texts
from studio_core.data.checks import converter
from studio_core.data.guesses import guess
from studio_core.data.mapping import Mapping
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
    ({"prompt": "q", "completion": "a", "score": "7"}, Shape.SCORED, {**QA, "score": 7.0}),
    ({"prompt": "q", "completion": "a", "rating": 8.5}, Shape.SCORED, {**QA, "score": 8.5}),
    # 1 is as likely a label, and a score of 0.93 one of something else.
    ({"prompt": "q", "completion": "a", "score": 1}, Shape.PROMPT_COMPLETION, QA),
    ({"prompt": "q", "completion": "a", "score": 0.93}, Shape.PROMPT_COMPLETION, QA),
    (
        {"prompt": "q", "responses": ["a", "b", "c"], "ranks": [20, 10, 20]},
        Shape.RANKING,
        {"prompt": [user("q")], "completions": ["a", "b", "c"], "ranks": [2, 1, 2]},
    ),
    (
        {"question": "q", "answers": '["a", "b"]', "ranking": "[2, 1]"},
        Shape.RANKING,
        {"prompt": [user("q")], "completions": ["a", "b"], "ranks": [2, 1]},
    ),
    ({"prompt": "q", "chosen": "a", "rejected": "b", "margin": 2}, Shape.PREFERENCE, {**PAIR, "margin": "2"}),
    (
        {"prompt": "q", "chosen": "a", "rejected": "b", "score_chosen": 9, "score_rejected": 4.5},
        Shape.PREFERENCE,
        {**PAIR, "score_chosen": "9", "score_rejected": "4.5"},
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
    assert record == {
        "messages": [
            user("q"),
            {**assistant(""), "tool_calls": '[{"name": "now", "arguments": {}}]'},
            {"role": "tool", "content": "12"},
            assistant("noon"),
        ],
        "tools": json.dumps(TOOLS),
    }


CALL = {"id": "c1", "type": "function", "function": {"name": "now", "arguments": '{"zone": "UTC"}'}}
STORED_CALL = '[{"name": "now", "arguments": {"zone": "UTC"}, "id": "c1"}]'


def test_tool_calls_of_openai_are_kept() -> None:
    answer = {"role": "tool", "content": "12", "tool_call_id": "c1", "name": "now"}
    turns = [
        user("q"),
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        answer,
        assistant("noon"),
    ]
    _, record = convert({"messages": turns, "tools": TOOLS})
    assert record["messages"] == [
        user("q"),
        {**assistant(""), "tool_calls": STORED_CALL},
        answer,
        assistant("noon"),
    ]
    assert record["tools"] == json.dumps(TOOLS)
    assert convert(record) == (Shape.CHAT, record)


def test_turns_of_ms_swift_are_understood() -> None:
    call, other = '{"name": "now", "arguments": {"zone": "UTC"}}', '{"name": "f", "arguments": {"x": 1}}'
    turns = [user("q"), assistant("I look."), {"role": "tool_call", "content": call},
             {"role": "tool_call", "content": other}, {"role": "tool_response", "content": "12"},
             {"role": " Tool Response ", "content": "3"}, {**assistant("noon"), "loss": True}]  # fmt: skip
    _, record = convert({"messages": turns, "tools": json.dumps(TOOLS)})
    assert record["messages"] == [
        user("q"),
        {**assistant("I look."), "tool_calls": f"[{call}, {other}]"},
        {"role": "tool", "content": "12"},
        {"role": "tool", "content": "3"},
        assistant("noon"),
    ]


@pytest.mark.parametrize("role", ["Tool_Call", "function call", "FUNCTION-CALL", " tool_call "])
def test_roles_are_understood_however_they_are_spelled(role: str) -> None:
    turns = [user("q"), {"from": role, "value": '{"name": "now", "arguments": "{}"}'},
             {"role": "Observation", "content": "12"}, {"from": "GPT ", "value": "noon"}]  # fmt: skip
    _, record = convert({"messages": turns})
    assert [message["role"] for message in record["messages"]] == ["user", "assistant", "tool", "assistant"]


def test_pairs_of_ms_swift_are_understood() -> None:
    shape, record = convert({"messages": [user("q"), assistant("a")], "rejected_response": "b"})
    assert (shape, record) == (Shape.PREFERENCE, PAIR)


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "thinking"])
def test_reasoning_is_kept(key: str) -> None:
    thought = {**assistant("a"), "reasoning": "hm"}
    assert convert({"messages": [user("q"), {**assistant("a"), key: "hm"}]})[1] == {
        "messages": [user("q"), thought]
    }
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}]
    assert convert({"messages": [user("q"), {"role": "assistant", "content": parts}]})[1] == {
        "messages": [user("q"), thought]
    }
    assert convert({"prompt": "q", "completion": "a", key: "hm"})[1] == {**QA, "completion": [thought]}
    pair = {"prompt": "q", "chosen": [{**assistant("a"), key: "hm"}], "rejected": [assistant("a")]}
    assert convert(pair)[1] == {"prompt": [user("q")], "chosen": [thought], "rejected": [assistant("a")]}


@pytest.mark.parametrize(
    "marked", [{"weight": 0}, {"train": False}, {"loss": False}, {"weight": 0.0}, {"loss": "false"}]
)
def test_turns_that_are_not_to_be_learnt_are_marked(marked: dict[str, Any]) -> None:
    turns = [
        user("q"),
        {**assistant("no"), **marked},
        user("again"),
        {**assistant("a"), "weight": 1, "train": None},
    ]
    _, record = convert({"messages": turns})
    assert record["messages"] == [
        user("q"),
        {**assistant("no"), "train": False},
        user("again"),
        assistant("a"),
    ]


@pytest.mark.parametrize("weight", [0.5, 2, -1, "much"])
def test_other_weights_are_refused(weight: Any) -> None:
    turns = [user("q"), {**assistant("a"), "weight": weight}]
    assert str(weight) in reason({"m": turns}, CHAT)


@pytest.mark.parametrize(
    "text",
    [
        '{"from": "Oslo"}',
        '{"role": "assistant", "content": "x"}',
        '[{"from": "Oslo", "to": "Bergen"}]',
        "[1, 2]",
        '{"messages": 3}',
        "Assistant: is a word",
    ],
)
def test_json_that_is_text_stays_text(text: str) -> None:
    assert convert({"prompt": text, "completion": text})[1] == {
        "prompt": [user(text)],
        "completion": [assistant(text)],
    }


WRITTEN = json.dumps([assistant("x")])


def test_turns_are_read_from_text_where_the_whole_column_is_that() -> None:
    rows = [{"prompt": "q", "completion": WRITTEN}, {"prompt": "r", "completion": WRITTEN}]
    mapping = guess(["prompt", "completion"], rows).mapping
    assert mapping.turns_in_text == ["completion"]
    assert converter(mapping)(rows[0]) == {"prompt": [user("q")], "completion": [assistant("x")]}
    assert "plain text" in reason({"prompt": "q", "completion": "words"}, mapping)
    off = mapping.model_copy(update={"turns_in_text": []})
    assert converter(off)(rows[0])["completion"] == [assistant(WRITTEN)]


def test_one_text_among_turns_makes_them_all_text() -> None:
    rows = [{"prompt": "q", "completion": WRITTEN}, {"prompt": "r", "completion": "words"}]
    mapping = guess(["prompt", "completion"], rows).mapping
    assert mapping.turns_in_text == []
    assert [converter(mapping)(row)["completion"] for row in rows] == [
        [assistant(WRITTEN)],
        [assistant("words")],
    ]


def test_nulls_that_no_record_wrote_are_dropped() -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string", "default": None}, "a": None},
        "b": None,
    }
    tools = [{"name": "now", "parameters": schema}]
    call = {"name": "now", "arguments": {"city": None, "a": None, "b": None}}
    _, record = convert(
        {"messages": [user("q"), {"role": "assistant", "content": "", "tool_calls": [call]}], "tools": tools}
    )
    assert json.loads(record["messages"][1]["tool_calls"]) == [{"name": "now", "arguments": {"city": None}}]
    properties = {"city": {"type": "string", "default": None}}
    assert json.loads(record["tools"]) == [
        {"name": "now", "parameters": {"type": "object", "properties": properties}}
    ]


CHAT = Mapping(shape=Shape.CHAT, columns={"messages": "m"})
SFT = Mapping(shape=Shape.PROMPT_COMPLETION, columns={"prompt": "p", "completion": "c"})
DPO = Mapping(shape=Shape.PREFERENCE, columns={"prompt": "p", "chosen": "c", "rejected": "r"})
DPO_IMPLICIT = Mapping(shape=Shape.PREFERENCE, columns={"chosen": "c", "rejected": "r"})
KTO = Mapping(shape=Shape.UNPAIRED_PREFERENCE, columns={"prompt": "p", "completion": "c", "label": "l"})
TEXT = Mapping(shape=Shape.TEXT, columns={"text": "t"})
SCORED = Mapping(shape=Shape.SCORED, columns={"prompt": "p", "completion": "c", "score": "s"})
RANKED = Mapping(shape=Shape.RANKING, columns={"prompt": "p", "completions": "c", "ranks": "r"})

REFUSED: list[tuple[Mapping, Any, str]] = [
    (TEXT, {"t": " "}, "'t' is empty"),
    (TEXT, {"t": ["a"]}, "'t' is a list, not text"),
    (TEXT, {"t": True}, "'t' is a bool, not text"),
    (TEXT, {"other": "a"}, "'t' is missing"),
    (TEXT, {"t": "x" * 2_000_001}, "'t' has 2000001 characters; the limit is 2000000"),
    (TEXT, {"t": "\ud800"}, "'t' has invalid Unicode (a lone surrogate)"),
    (TEXT, 42, "it is a int, not a JSON object"),
    (SFT, {"p": "q"}, "'c' is missing"),
    (SFT, {"p": "", "c": "a"}, "the prompt in 'p' is empty"),
    (SFT, {"p": "q", "c": "  "}, "the answer in 'c' is empty (turn 1)"),
    (SFT, {"p": "q", "c": None}, "the answer in 'c' is empty (turn 1)"),
    (
        SFT,
        {"p": [user("q"), assistant("a")], "c": "b"},
        "the prompt in 'p' ends with an assistant turn",
    ),
    (SFT, {"p": "q", "c": [user("a")]}, "turn 1 of 'c' is user; expected assistant"),
    (CHAT, {"m": []}, "'m' has no turns"),
    (CHAT, {"m": ["a", "b"]}, "turn 1 of 'm' is a str, not an object with role and content"),
    (CHAT, {"m": [user("q")]}, "'m' has no assistant turn"),
    (CHAT, {"m": [user("q"), assistant("")]}, "the answer in 'm' is empty (turn 2)"),
    (CHAT, {"m": [user(" "), assistant("a")]}, "turn 1 of 'm' (user) is empty"),
    (CHAT, {"m": [user("q"), assistant("a"), user("r")]}, "'m' ends with a user turn; the answer is missing"),
    (CHAT, {"m": [assistant("a"), user("q")]}, "turn 1 of 'm' is assistant; expected system / user"),
    (CHAT, {"m": [user("q"), user("r")]}, "turn 2 of 'm' is user; expected assistant"),
    (CHAT, {"m": [user("q"), system("s")]}, "turn 2 of 'm' is system; expected assistant"),
    (CHAT, {"m": [{"role": "wizard", "content": "x"}]}, "turn 1 of 'm' has an unknown role 'wizard'"),
    (CHAT, {"m": [{"content": "x"}]}, "turn 1 of 'm' has an unknown role 'None'"),
    (
        CHAT,
        {"m": [user([{"type": "image_url"}]), assistant("a")]},  # type: ignore[arg-type]
        "turn 1 of 'm' has only an image; images are skipped",
    ),
    (DPO, {"p": "q", "c": "a", "r": "a"}, "'c' and 'r' are the same"),
    (DPO, {"p": "q", "c": "a", "r": ""}, "the answer in 'r' is empty (turn 1)"),
    (DPO, {"p": "", "c": "a", "r": "b"}, "the prompt in 'p' is empty"),
    (DPO_IMPLICIT, {"c": "a", "r": "b"}, "'c' and 'r' have no prompt in common"),
    (DPO_IMPLICIT, {"c": [assistant("a")] * 2, "r": "b"}, "there is no prompt, and 'c' does not begin with one"),
    (
        DPO_IMPLICIT,
        {"c": [user("q"), assistant("a")], "r": [user("z"), assistant("b")]},
        "'c' and 'r' have no prompt in common",
    ),
    (KTO, {"p": "q", "c": "a", "l": "perhaps"}, "'l' is 'perhaps', not true or false"),
    (KTO, {"p": "q", "c": "a", "l": 2}, "'l' is '2', not true or false"),
    (SCORED, {"p": "q", "c": "a", "s": 11}, "'s' is '11', not a number from 1 to 10"),
    (SCORED, {"p": "q", "c": "a", "s": True}, "'s' is 'True', not a number from 1 to 10"),
    (SCORED, {"p": "q", "c": "a", "s": "good"}, "'s' is 'good', not a number from 1 to 10"),
    (RANKED, {"p": "q", "c": ["a", "b"], "r": [1]}, "'c' has 2 answers, but 'r' has 1"),
    (RANKED, {"p": "q", "c": ["a", "b"], "r": [1, "x"]}, "'r' has the rank 'x', which is not a number"),
    (RANKED, {"p": "q", "c": ["a", "b"], "r": [1, 1]}, "'c' has no two answers of different ranks"),
    (RANKED, {"p": "q", "c": ["a", " "], "r": [1, 2]}, "the answer in 'c' is empty (turn 2)"),
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


def test_answers_without_ranks_are_listed_best_first() -> None:
    mapping = RANKED.model_copy(update={"columns": {"prompt": "p", "completions": "c"}})
    assert converter(mapping)({"p": "q", "c": ["a", "b", "c"]})["ranks"] == [1, 2, 3]


def test_a_conversation_may_be_scored() -> None:
    mapping = Mapping(shape=Shape.SCORED, columns={"messages": "m", "score": "s"})
    row = {"m": [user("q"), assistant("a")], "s": 3}
    assert converter(mapping)(row) == {**QA, "score": 3.0} and not mapping.missing()


def test_a_kept_column_does_not_take_the_place_of_the_prompt() -> None:
    mapping = Mapping(shape=Shape.PROMPT_ONLY, templates={"prompt": "{{id}}?"}, keep=["prompt", "note"])
    record = converter(mapping)({"id": "7", "prompt": "Why?", "note": "n"})
    assert record == {"prompt": [user("7?")], "note": "n"}
