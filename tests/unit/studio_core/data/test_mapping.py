"""What people say of a file's columns: templates over them, thresholds, what stays beside, how text is split."""

from __future__ import annotations

from typing import Any

import pytest

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.data import store
from studio_core.data.guesses import guess
from studio_core.data.mapping import Mapping
from studio_core.data.shapes import Shape
from tests.unit.studio_core.data.wild import WILD, lines, user

ROWS = lines(
    {"Question text": "Why?", "context": "Sky.", "reply": "Rayleigh.", "n": 1},
    {"Question text": "How?", "context": None, "reply": "So.", "n": 2},
    {"Question text": "", "context": "", "reply": "Empty.", "n": 3},
)


def templates() -> Mapping:
    return Mapping(
        shape=Shape.PROMPT_COMPLETION,
        columns={"completion": "reply"},
        templates={
            "prompt": "{{Question text}}\n\n{{ context }}",
            "system": "You are {{name}}, no. {{n}}.",
        },
        fill={"name": "Ada"},
    )


def test_templates_over_columns(studio: Studio, written: Any) -> None:
    mapping = templates()
    assert mapping.missing() == []
    assert mapping.used() == ["reply", "Question text", "context", "n"]
    seen = store.inspect_file(studio, written("a.jsonl", ROWS), mapping=mapping)
    assert [record["prompt"] for record in seen.sample_records] == [
        [{"role": "system", "content": "You are Ada, no. 1."}, user("Why?\n\nSky.")],
        [{"role": "system", "content": "You are Ada, no. 2."}, user("How?\n\n")],
    ]
    assert seen.reasons[0]["reason"] == "the prompt in 'prompt' is empty"


def test_a_name_that_is_no_column_is_refused(studio: Studio, written: Any) -> None:
    mapping = templates()
    mapping.templates["prompt"] = "{{Qestion}}"
    with pytest.raises(BadInput, match=r"The template for prompt uses 'Qestion', .* Question text, context"):
        store.inspect_file(studio, written("a.jsonl", ROWS), mapping=mapping)


def test_what_a_row_holds_is_never_a_template(studio: Studio, written: Any) -> None:
    row = {"q": "{{a}} {{secret}}", "a": "x", "secret": "y"}
    mapping = Mapping(shape=Shape.TEXT, templates={"text": "{{q}} {{a}}"})
    dataset = store.import_file(studio, written("a.jsonl", lines(row)), mapping=mapping).dataset
    assert store.records(studio, dataset) == [{"text": "{{a}} {{secret}} x"}]


def test_ratings_are_labels_from_a_threshold_on(studio: Studio, written: Any) -> None:
    rows = [{"prompt": "q", "answer": "a", "stars": stars} for stars in ("1", 3, 4.5, "none")]
    mapping = Mapping(
        shape=Shape.UNPAIRED_PREFERENCE,
        columns={"prompt": "prompt", "completion": "answer", "label": "stars"},
        good_from=3,
    )
    seen = store.inspect_file(studio, written("a.jsonl", lines(*rows)), mapping=mapping)
    assert [record["label"] for record in seen.sample_records] == [False, True, True]
    assert "is 'none', not true or false" in seen.reasons[0]["reason"]


@pytest.mark.parametrize(("split", "count"), [(None, 2), ("paragraph", 2), ("line", 3), ("file", 1)])
def test_what_one_record_of_a_text_is(studio: Studio, written: Any, split: Any, count: int) -> None:
    path = written("a.txt", "One\nhalf.\n \n\nTwo.\n")
    mapping = Mapping(shape=Shape.TEXT, columns={"text": "text"}, split=split)
    dataset = store.import_file(studio, path, mapping=mapping).dataset
    assert dataset.rows == count
    assert store.records(studio, dataset)[0]["text"] == {
        1: "One\nhalf.\n \n\nTwo.", 2: "One\nhalf.", 3: "One"}[count]  # fmt: skip


def test_a_text_without_blank_lines_is_read_by_line(studio: Studio, written: Any) -> None:
    assert store.inspect_file(studio, written("a.txt", "One, two.\nThree.\nFour, five, six.\n")).good == 3


@pytest.mark.parametrize("part", ["reference", "answer"])
def test_a_reference_answer_stays_beside_a_prompt(studio: Studio, written: Any, part: str) -> None:
    path = written("a.jsonl", WILD["gsm8k"][1].replace('"answer"', f'"{part}"'))
    mapping = Mapping(shape=Shape.PROMPT_ONLY, columns={"prompt": "question"}, keep=[part])
    dataset = store.import_file(studio, path, mapping=mapping).dataset
    assert store.records(studio, dataset)[0] == {
        "prompt": [user("How much?")],
        part: "500 + 734 = 1,234\n#### 1,234",
    }


@pytest.mark.parametrize(
    ("columns", "prompt", "completion"),
    [
        (["Customer wrote", "Agent said"], "Customer wrote", "Agent said"),
        (["ticket", "userText", "botReply"], "userText", "botReply"),
        (["客户问题", "客服回复"], "客户问题", "客服回复"),
    ],
)
def test_names_that_say_who_speaks_are_guessed_with_doubt(
    columns: list[str], prompt: str, completion: str
) -> None:
    guessed = guess(columns, [dict.fromkeys(columns, "words")])
    assert guessed.mapping.columns == {"prompt": prompt, "completion": completion} and not guessed.sure
