"""The report as a whole: verdicts, features, memory and time, and every check on records with known answers."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from studio_core.data.shapes import Shape
from studio_core.reports import features
from studio_core.reports.compute import CHECKS, compute
from studio_core.reports.findings import FINDINGS, Severity, names, severity
from studio_core.texts import LANGUAGES, catalogue
from tests.unit.studio_core.reports.judged import answered, assistant, judged, pair, rows_of, user, written

TEXT = "The river runs from the mountains to the sea, and the boats follow it in the summer."


def good(n: int) -> str:
    return f"Number {n} is what you get when you add {n - 1} and one, as every child in school knows."


def test_verdicts_count_every_record_once(tmp_path: Path) -> None:
    records = [answered(f"What is {n} plus one, please?", good(n + 1)) for n in range(10)]
    records[2] = answered("Write to me", "My address is ann@example.org, write whenever you want to.")
    records[5] = answered("Say something", "   ")
    report, rows = judged(tmp_path, Shape.PROMPT_COMPLETION, records)
    assert report.verdicts.model_dump() == {"good": 8, "look": 1, "bad": 1, "rejected": 0}
    assert rows_of(report, "personal_data") == [3] and rows_of(report, "empty_answer") == [6]
    assert rows[5]["findings"] == ["empty_answer", "low_quality"] and rows[0]["findings"] == []
    assert (rows[0]["prompt_characters"], rows[0]["answer_characters"]) == (27, len(good(1)))
    assert rows[0]["characters"] == 27 + len(good(1)) and rows[0]["turns"] == 2
    assert rows[0]["language"] == "en" and rows[0]["quality"] == 1 and rows[0]["words"] == 18


def test_rejected_rows_join_the_verdicts(tmp_path: Path) -> None:
    report, _ = judged(tmp_path, Shape.TEXT, [{"text": TEXT}])
    reasons = [
        {"row": 4, "code": "not_text", "values": {"column": "a"}},
        {"row": 2, "code": "empty"},
        {"row": 9, "code": "empty"},
    ]
    whole = report.with_rejected(reasons, 7)
    assert whole.verdicts.rejected == 7
    assert [(reason.code, reason.rows, reason.first) for reason in whole.rejected] == [
        ("empty", 2, [2, 9]),
        ("not_text", 1, [4]),
    ]


@pytest.mark.parametrize("shape", list(Shape))
def test_every_shape_has_a_report(tmp_path: Path, shape: Shape) -> None:
    record = {
        Shape.TEXT: {"text": TEXT},
        Shape.CHAT: {
            "messages": [{"role": "system", "content": "Be kind."}, user("Hello?"), assistant(TEXT)]
        },
        Shape.PROMPT_COMPLETION: answered("Where does it run?", TEXT),
        Shape.PREFERENCE: pair("Where does it run?", TEXT, "It does not run anywhere, as far as I can say."),
        Shape.UNPAIRED_PREFERENCE: {**answered("Where?", TEXT), "label": False},
        Shape.PROMPT_ONLY: {
            "prompt": [user("Where does the river run in the summer?")],
            "answer": "to the sea",
        },
        Shape.STEPWISE: {
            "prompt": [user("Where?")],
            "completions": ["A river.", TEXT],
            "labels": [True, False],
        },
        Shape.SCORED: {**answered("Where?", TEXT), "score": 3.0},
        Shape.RANKING: {"prompt": [user("Where?")], "completions": [TEXT, "A river."], "ranks": [1, 2]},
    }[shape]
    report, rows = judged(tmp_path, shape, [record, record])
    assert rows_of(report, "exact_duplicate") == [2] and rows[1]["duplicate_of"] == 1
    assert report.verdicts.good + report.verdicts.look == 2
    file = tmp_path / "data.features.parquet"
    assert features.with_any(file, ["exact_duplicate", "turn_order"], [], 0, 10) == ([2], 1)
    assert features.with_any(file, ["exact_duplicate"], ["exact_duplicate"], 0, 10) == ([], 0)
    assert features.about(file, [2])[2].repeats == 1
    assert pq.read_schema(tmp_path / "data.features.parquet").equals(features.SCHEMA)


def test_the_work_can_be_ended_and_leaves_nothing(tmp_path: Path) -> None:
    file = written(tmp_path, Shape.TEXT, [{"text": f"{TEXT} {n}"} for n in range(1500)])

    def progress(done: int) -> None:
        assert done == 1000
        raise InterruptedError

    with pytest.raises(InterruptedError):
        compute(file, Shape.TEXT, tmp_path / "data.features.parquet", progress=progress)
    assert [path.name for path in tmp_path.iterdir()] == ["data.parquet"]


def test_progress_reaches_the_end(tmp_path: Path) -> None:
    told: list[int] = []
    judged(tmp_path, Shape.TEXT, [{"text": f"{TEXT} {n}"} for n in range(2100)], progress=told.append)
    assert told[:3] == [1000, 2000, 2100] and set(told[3:]) <= {2100}


def test_findings_are_named_by_checks_and_have_texts() -> None:
    assert {name for check in CHECKS for name in check.finds} == set(FINDINGS)
    for language in LANGUAGES:
        for name in FINDINGS:
            assert catalogue(language)[f"reports.finding_{name}"]
            assert catalogue(language)[f"reports.finding_{name}.help"]


def test_the_worst_finding_decides() -> None:
    every = sum(1 << place for place in range(len(FINDINGS)))
    assert names(every) == list(FINDINGS) and severity(every) is Severity.BAD
    assert severity(0) is None


@pytest.mark.parametrize(
    ("messages", "fault"),
    [
        ([user("a"), assistant("b")], None),
        ([user("a")], "no_answer"),
        ([assistant("b"), user("a")], "order"),
        ([user("a"), user("b"), assistant("c")], "order"),
        ([user("a"), {"role": "system", "content": "s"}, assistant("c")], "late_system"),
        ([user(" "), assistant("c")], "empty_turn"),
        ([], "nothing"),
        ([user("a"), assistant("b"), {"role": "tool", "content": "{}"}, assistant("c")], None),
    ],
)
def test_turns_out_of_order(tmp_path: Path, messages: list[dict[str, str]], fault: str | None) -> None:
    report, _ = judged(tmp_path, Shape.CHAT, [{"messages": messages}])
    assert report.turn_structure is not None
    assert report.turn_structure.faults == ({fault: 1} if fault else {})
    assert rows_of(report, "turn_order") == ([1] if fault else [])


def test_one_word_answers_are_a_finding_unless_they_are_the_task(tmp_path: Path) -> None:
    long = [answered(f"Question {n}: what is it that you see there?", good(n)) for n in range(8)]
    report, _ = judged(tmp_path, Shape.PROMPT_COMPLETION, [*long, answered("Is it?", "Yes.")])
    assert rows_of(report, "one_word_answer") == [9]
    short = [answered(f"Question {n}: is it the case?", "Yes.") for n in range(8)]
    report, rows = judged(tmp_path, Shape.PROMPT_COMPLETION, short)
    assert report.answers is not None and report.answers.one_word_is_the_task
    assert rows_of(report, "one_word_answer") == [] == rows_of(report, "low_quality")
    assert not {"one_word_answer", "low_quality"} & {name for row in rows for name in row["findings"]}


def test_a_prompt_may_be_short(tmp_path: Path) -> None:
    report, rows = judged(tmp_path, Shape.PROMPT_ONLY, [{"prompt": [user("12 + 30 =")], "answer": "42"}])
    assert rows[0]["quality"] == 1 and rows_of(report, "low_quality") == []


def test_bad_answers_that_are_marked_bad_are_no_findings(tmp_path: Path) -> None:
    refusal = "I'm sorry, but I can't help with that, whatever it is."
    records = [{**answered(f"Do the thing number {n}", refusal), "label": n % 2 == 0} for n in range(4)]
    report, _ = judged(tmp_path, Shape.UNPAIRED_PREFERENCE, records)
    assert rows_of(report, "refusal") == [1, 3]
    assert report.labels is not None and report.labels.good.share == 0.5


def test_control_tokens_and_templates_in_texts(tmp_path: Path) -> None:
    records = [
        answered("What is <b>HTML</b>, and what does a|b mean?", "A language, and <think> is no part of it."),
        answered(
            "What ends a turn, please?", "In ChatML <|im_end|> does, elsewhere </s> or <｜end▁of▁sentence｜>."
        ),
        answered("And a conversation?", "[INST] Hello there [/INST] Hello to you, my friend."),
    ]
    report, _ = judged(tmp_path, Shape.PROMPT_COMPLETION, records)
    assert rows_of(report, "control_tokens") == [2, 3] and rows_of(report, "rendered_template") == [3]
    found = report.control_tokens
    assert found is not None and (found.rows, found.rendered) == (2, 1)
    assert set(found.spelled) == {"<|im_end|>", "</s>", "<｜end▁of▁sentence｜>", "[INST]", "[/INST]"}
    corpus, _ = judged(tmp_path, Shape.TEXT, [{"text": "One text.</s>Another text.</s>"}])
    assert corpus.control_tokens is None
