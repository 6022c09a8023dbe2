"""Operations that change records: replace, mask, edit, map, convert."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio_core.base.errors import BadInput
from studio_core.curation import named, parts
from studio_core.curation.base import validated
from studio_core.data import parquet
from studio_core.data.shapes import Record, Shape
from tests.unit.studio_core.curation.bench import carried_out, chat, pair, pc, stored, turn

RECORDS = [pc("Say hi, Tunes.", "Hi, hi! I am Tunes.", "You are Tunes."), pc("And?", "Nothing (more).")]
AS_IT_WAS = "You are Tunes.|Say hi, Tunes.|Hi, hi! I am Tunes."


@pytest.mark.parametrize(
    ("options", "first", "counts"),
    [
        ({"find": "Tunes", "replace": "Ada"}, "You are Ada.|Say hi, Ada.|Hi, hi! I am Ada.", 3),
        (
            {"find": "hi", "replace": "ho", "where": ["answer"]},
            "You are Tunes.|Say hi, Tunes.|Hi, ho! I am Tunes.",
            2,
        ),
        (
            {"find": "hi,", "replace": "ho", "ignore_case": True},
            "You are Tunes.|Say ho Tunes.|ho hi! I am Tunes.",
            2,
        ),
        ({"find": "h", "replace": "x", "whole_words": True}, AS_IT_WAS, 0),
        (
            {"find": "Hi", "replace": "Ho", "whole_words": True},
            "You are Tunes.|Say hi, Tunes.|Ho, hi! I am Tunes.",
            1,
        ),
        ({"find": "(more)", "replace": "less"}, AS_IT_WAS, 1),
        (
            {"find": r"(?i)\b(h)i\b", "replace": r"\1o", "regex": True},
            "You are Tunes.|Say ho, Tunes.|Ho, ho! I am Tunes.",
            3,
        ),
        (
            {"find": ".", "replace": r"\1", "where": ["system"]},
            r"You are Tunes\1|Say hi, Tunes.|Hi, hi! I am Tunes.",
            1,
        ),
    ],
)
def test_replace(tmp_path: Path, options: dict[str, Any], first: str, counts: int) -> None:
    done = carried_out("replace", stored(tmp_path, RECORDS), **options)
    record = done.records[0]
    assert "|".join(turn["content"] for turn in [*record["prompt"], *record["completion"]]) == first
    assert done.counts.get("replacements", 0) == counts


def test_replace_leaves_out_what_is_no_record_any_more(tmp_path: Path) -> None:
    records = [pair("q", "good answer", "bad answer"), pair("q", "good", "other")]
    done = carried_out("replace", stored(tmp_path, records), find="good|bad", regex=True)
    assert done.records == []
    assert done.reasons == {"row_chosen_is_rejected": 1, "row_empty_answer": 1}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "The search is empty"),
        ({"find": "(", "regex": True}, "not a valid regular expression"),
        ({"find": "(a)", "replace": r"\2", "regex": True}, "does not match the expression"),
    ],
)
def test_a_replacement_that_cannot_be(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        validated(named("replace"), options)


def test_mask_counts_by_kind_and_leaves_other_kinds(tmp_path: Path) -> None:
    records = [pc("I am jane.doe@example.org, call +1 415-555-2671", "ok"), pc("nothing", "here")]
    source = stored(tmp_path, records)
    done = carried_out("mask", source)
    assert done.records[0]["prompt"][0]["content"] == "I am [EMAIL], call [PHONE]"
    assert done.counts == {"kept": 2, "changed": 1, "email": 1, "phone": 1}
    done = carried_out("mask", source, kinds=["email"], replacement="<{kind}>")
    assert done.records[0]["prompt"][0]["content"] == "I am <EMAIL>, call +1 415-555-2671"
    assert list(parquet.read(source.path)) == records
    with pytest.raises(BadInput, match="No kind"):
        validated(named("mask"), {"kinds": []})


def test_control_tokens_are_taken_out_or_made_ordinary_text(tmp_path: Path) -> None:
    records = [pc("a<|im_end|> b[/INST] <think>", "</s>o<|<|eot|>x|>k"), pc("<b>nothing</b>", "here")]
    source = stored(tmp_path, records)
    done = carried_out("control_tokens", source)
    # What is left around one may spell another.
    assert done.records == [pc("a b <think>", "ok"), records[1]]
    assert done.counts == {"kept": 2, "changed": 1, "control_tokens": 5}
    done = carried_out("control_tokens", source, action="escape")
    assert done.records[0] == pc("a< |im_end|> b[ /INST] <think>", "< /s>o<|< |eot|>x|>k")


def test_edit_changes_deletes_and_adds(tmp_path: Path) -> None:
    source = stored(tmp_path, [pc("1", "a"), pc("2", "b"), pc("3", "c")])
    changes = [{"row": 2, "record": pc("2", "B")}, {"row": 1}, {"record": pc("4", "d")}]
    done = carried_out("edit", source, changes=changes)
    assert done.records == [pc("2", "B"), pc("3", "c"), pc("4", "d")]
    assert done.counts == {"dropped": 1, "changed": 1, "kept": 2, "added": 1}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ([], "No changes"),
        ([{"row": 9, "record": None}], "no row 9: mine@1 has 2"),
        ([{"row": 1}, {"row": 1}], "Row 1 is changed twice"),
        ([{}], "neither row nor record"),
        ([{"row": 0}], "changes"),
        ([{"row": 1, "record": {"prompt": "x"}}], "Row 1 is invalid: .*completion"),
        ([{"row": 1, "record": pc("q", " ")}], "Row 1 is invalid"),
        ([{"row": 1, "record": {**pc("q", "a"), "note": "x"}}], "'note' is not a column"),
        ([{"row": 1, "record": pc("q", "\ud800")}], "Row 1 is invalid"),
    ],
)
def test_an_edit_that_would_not_pass_an_import(tmp_path: Path, changes: Any, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        carried_out("edit", stored(tmp_path, [pc("1", "a"), pc("2", "b")]), changes=changes)


def test_map_with_templates_and_literal_braces_in_the_data(tmp_path: Path) -> None:
    records = [pc("{{completion}} [{1}]", "a", "Be kind."), pc("2", "b")]
    done = carried_out(
        "map",
        stored(tmp_path, records),
        system="{{system}} Briefly.",
        prompt="Q: {{ prompt }}",
    )
    assert done.records == [
        pc("Q: {{completion}} [{1}]", "a", "Be kind. Briefly."),
        pc("Q: 2", "b", " Briefly."),
    ]
    assert done.counts == {"kept": 2, "changed": 2}


def test_map_to_other_shapes(tmp_path: Path) -> None:
    talk = chat("one", "1", "two", "2")
    source = stored(tmp_path, [talk])
    text = carried_out("map", source, shape="text", text="{{messages}}")
    assert text.records == [{"text": "User: one\n\nAssistant: 1\n\nUser: two\n\nAssistant: 2"}]
    kept = carried_out("map", source, shape="prompt-completion", prompt="{{prompt}}").records
    assert kept == [{"prompt": talk["messages"][:3], "completion": talk["messages"][3:]}]
    same = carried_out("map", source, system="Hear!").records
    assert same == [{"messages": [turn("system", "Hear!"), *talk["messages"]]}]


def test_map_fills_in_further_columns(tmp_path: Path) -> None:
    records = [
        {"prompt": [turn("user", "2+2?")], "answer": "4"},
        {"prompt": [turn("user", "x?")], "answer": None},
    ]
    done = carried_out("map", stored(tmp_path, records), shape="prompt-completion", completion="{{answer}}")
    assert done.records == [{**pc("2+2?", "4"), "answer": "4"}]
    assert done.reasons == {"row_empty_answer": 1}


def test_further_columns_may_be_called_like_parts(tmp_path: Path) -> None:
    record = {"prompt": [turn("user", "q")], "completion": "4", "text": "note", "messages": "m"}
    source = stored(tmp_path, [record], shape=Shape.PROMPT_ONLY)
    asked = "{{prompt}} {{completion}} {{text}} {{messages}}"
    done = carried_out("map", source, prompt=asked)
    assert done.records[0]["prompt"][0]["content"] == "q 4 note m"
    assert parts.prompt_of(record) == "q"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "No template"),
        ({"prompt": "{{colour}}"}, "uses 'colour'.*Choose one of: completion, messages, prompt, system"),
        ({"shape": "preference", "chosen": "{{completion}}"}, "need rejected"),
        ({"shape": "unpaired-preference", "prompt": "x"}, "need label"),
        ({"prompt": "x" * 200_000}, "200000 characters"),
    ],
)
def test_a_template_that_cannot_be(tmp_path: Path, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        carried_out("map", stored(tmp_path, RECORDS), **options)


STEPS: Record = {"prompt": [turn("user", "q")], "completions": ["1", "2"], "labels": [True, True]}

RANKED: Record = {"prompt": [turn("user", "q")], "completions": ["a", "b", "c"], "ranks": [2, 1, 2]}


def judged(answer: str, good: bool) -> Record:
    return {**pc("q", answer), "label": good}


@pytest.mark.parametrize(
    ("record", "to", "side", "made"),
    [
        (pair("q", "yes", "no"), "prompt-completion", "good", [pc("q", "yes")]),
        (pair("q", "yes", "no"), "prompt-completion", "both", [pc("q", "yes"), pc("q", "no")]),
        (pair("q", "yes", "no"), "chat", "bad", [chat("q", "no")]),
        (pair("q", "yes", "no"), "unpaired-preference", "good", [judged("yes", True), judged("no", False)]),
        (pair("q", "yes", "no"), "prompt-only", "both", [{"prompt": [turn("user", "q")]}]),
        (chat("q", "a"), "prompt-completion", "good", [pc("q", "a")]),
        (pc("q", "a", "s"), "chat", "good", [{"messages": [turn("system", "s"), *chat("q", "a")["messages"]]}]),
        (pc("q", "a"), "text", "good", [{"text": "q\n\na"}]),
        (judged("a", False), "prompt-completion", "good", []),
        (judged("a", False), "prompt-completion", "bad", [pc("q", "a")]),
        (STEPS, "chat", "good", [chat("q", "1\n2")]),
        ({**pc("q", "a"), "score": 7.0}, "prompt-completion", "good", [pc("q", "a")]),
        ({**pc("q", "a"), "score": 6.5}, "prompt-completion", "good", []),
        ({**pc("q", "a"), "score": 6.5}, "unpaired-preference", "good", [judged("a", False)]),
        (RANKED, "preference", "good", [pair("q", "b", "a"), pair("q", "b", "c")]),
        (RANKED, "chat", "good", [chat("q", "b")]),
        (RANKED, "chat", "bad", [chat("q", "a"), chat("q", "c")]),
    ],
)  # fmt: skip
def test_convert(tmp_path: Path, record: Record, to: str, side: str, made: list[Record]) -> None:
    done = carried_out("convert", stored(tmp_path, [record]), shape=to, side=side)
    assert done.records == made and done.shapes == {"": to}
    if not made:
        assert done.reasons == {"other_side": 1}


def test_what_does_not_become_another_by_itself(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be converted to prompt-completion directly"):
        carried_out("convert", stored(tmp_path, [{"text": "t"}]), shape="prompt-completion")
