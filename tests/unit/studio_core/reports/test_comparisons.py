"""Pairs, references, overlap and tokens: what is found, with figures that can be counted by hand."""

import json
import random
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from studio_core.base.settings import bundled_folder
from studio_core.data.shapes import Shape
from studio_core.reports import token_lengths
from studio_core.reports.pairs import markers
from studio_core.reports.statistics import distribution, marks, share
from studio_core.runs.spec import ResolvedModel
from studio_core.suites import SUITES
from tests.unit.studio_core.reports.judged import answered, judged, pair, rows_of, user, written


@pytest.mark.parametrize(("rows", "of"), [(0, 10), (10, 10), (1, 3), (131, 296), (9_999, 10_000), (1, 1)])
def test_intervals_are_wilsons(rows: int, of: int) -> None:
    found = share(rows, of)
    expected = binomtest(rows, of).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert found.low <= found.share <= found.high


def test_every_number_is_in_a_bar_or_beyond() -> None:
    for values in ([0], [5] * 9, [1, 2, 3, 1000], list(range(5000)), [7, 8, 9, 10**6]):
        spread = distribution(np.array(values))
        assert sum(spread.bars) + spread.beyond == len(values) == spread.count
        assert spread.start <= min(values) and spread.quantiles["1.0"] == max(values)
    assert sum(marks(np.array([0.0, 0.05, 1.0], np.float32)).bars) == 3


def talk(seed: int, words: int) -> str:
    return " ".join(random.Random(seed).choices([f"word{n}" for n in range(500)], k=words))


def test_length_bias_is_counted_with_its_interval(tmp_path: Path) -> None:
    records = [pair(f"Question {n}?", talk(n, 30 if n < 45 else 10), talk(n + 1000, 20)) for n in range(60)]
    records += [pair(f"Question {n}?", talk(n, 20), talk(n + 1000, 20)) for n in range(60, 70)]
    report, _ = judged(tmp_path, Shape.PREFERENCE, records)
    assert report.pairs is not None
    longer = report.pairs.longer_chosen
    assert (longer.rows, longer.of, report.pairs.equal_length) == (45, 60, 10)
    assert longer.low == pytest.approx(binomtest(45, 60).proportion_ci(method="wilson").low)
    assert report.pairs.median_difference == 10
    assert report.pairs.shortcut == pytest.approx((45 + 5) / 70, abs=1e-4)


def test_a_word_that_decides_is_found_and_chance_is_not(tmp_path: Path) -> None:
    records = [pair(f"Question {n}?", f"certainly {talk(n, 20)}", talk(n + 1000, 20)) for n in range(80)]
    records += [pair(f"Question {n}?", talk(n, 20), talk(n + 1000, 20)) for n in range(80, 100)]
    report, _ = judged(tmp_path, Shape.PREFERENCE, records)
    assert report.pairs is not None
    found = {marker.word: marker for marker in report.pairs.markers}
    assert set(found) == {"certainly", "^certainly"}
    assert (found["certainly"].chosen, found["certainly"].rejected) == (80, 0)
    assert found["certainly"].accuracy == report.pairs.shortcut == 0.9 and found["certainly"].right.share == 1
    assert found["certainly"].z > 4


def test_a_longer_side_has_more_of_every_word_and_that_is_no_marker() -> None:
    # Each of 200 words stands in twice as many chosen answers.
    chosen = Counter({f"w{n}": 40 for n in range(200)})
    rejected = Counter({f"w{n}": 20 for n in range(200)})
    assert markers(chosen, rejected, 100) == []
    chosen["sure"] = 90
    assert [marker.word for marker in markers(chosen, rejected, 100)] == ["sure"]


@given(
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 50)),
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 50)),
    st.integers(50, 60),
)
def test_markers_of_few_words(chosen: dict[str, int], rejected: dict[str, int], pairs: int) -> None:
    for marker in markers(Counter(chosen), Counter(rejected), pairs):
        assert 0.5 < marker.accuracy <= 1 and (marker.z > 0) == (marker.chosen > marker.rejected)


def test_one_sentence_for_every_pair(tmp_path: Path) -> None:
    """As in pairs that teach a model its name."""
    records = [pair(f"Who are you, {n}?", "I am Tunesmith.", "unknown") for n in range(50)]
    report, _ = judged(tmp_path, Shape.PREFERENCE, records)
    assert report.pairs is not None and report.pairs.shortcut == 1


def test_references_that_cannot_be_read(tmp_path: Path) -> None:
    answers = ["1,234", "$5.00", "3/4", "no idea", "", "12 apples"]
    records = [
        {"prompt": [user(f"How many, in case {n}?")], "answer": text} for n, text in enumerate(answers)
    ]
    report, _ = judged(tmp_path, Shape.PROMPT_ONLY, records)
    assert report.references is not None and report.references.column == "answer"
    assert (report.references.numbers, report.references.texts, report.references.missing) == (4, 1, 1)
    assert rows_of(report, "unreadable_reference") == [4, 5]
    assert [one.row for one in report.references.unreadable] == [4, 5]


def test_references_that_are_texts_are_no_finding(tmp_path: Path) -> None:
    records = [{"prompt": [user(f"Who, in case {n}?")], "answer": f"Person {'ABC'[n]}"} for n in range(3)]
    report, _ = judged(tmp_path, Shape.PROMPT_ONLY, records)
    assert report.references is not None and not report.references.mostly_numbers
    assert rows_of(report, "unreadable_reference") == []


def test_worked_solutions_end_in_an_answer(tmp_path: Path) -> None:
    records = [
        answered(f"How many are {n} and one?", f"Add one to {n}.\n#### {n + 1:,}") for n in range(998, 1003)
    ]
    records.append(answered("How many are one and one?", "Add one to one. It is two."))
    report, _ = judged(tmp_path, Shape.PROMPT_COMPLETION, records)
    assert report.references is not None and report.references.numbers == 5
    assert rows_of(report, "unreadable_reference") == [6]
    plain, _ = judged(tmp_path, Shape.PROMPT_COMPLETION, [answered("Hi, how are you?", "I am well.")] * 2)
    assert plain.references is None


QUESTION = (
    "A farmer has twelve hens, each of which lays an egg on every day but Sunday; how many eggs does she sell "
    "in four weeks if she eats two on every Saturday?"
)


def test_questions_of_a_suite_are_found_in_records(tmp_path: Path) -> None:
    suite = tmp_path / "exam.jsonl"
    lines = [{"question": QUESTION}, {"question": talk(1, 40)}, {"question": "Too short to tell"},
             {"question": "Name the nine largest rivers of the whole world"}]  # fmt: skip
    suite.write_text("".join(json.dumps(line) + "\n" for line in lines))
    broken = tmp_path / "broken.jsonl"
    broken.write_text("")
    half = " ".join(QUESTION.upper().split()[:24])
    records = [
        answered(f"Please solve this: {half}!", "It depends on the hens, as ever."),
        answered("A farmer has twelve hens and a dog.", "How nice for her and for the dog."),
        answered("name the nine largest rivers of the whole WORLD", "The Nile is one of them, I think."),
    ]
    report, _ = judged(tmp_path, Shape.PROMPT_COMPLETION, records, suites={"exam": suite, "broken": broken})
    assert rows_of(report, "in_suite") == [1, 3]
    exam, damaged = report.overlap.suites
    assert (exam.texts, exam.too_short, exam.rows, exam.problem) == (3, 1, 2, "")
    assert damaged.problem and damaged.rows == 0
    assert [(hit.row, hit.suite, hit.item) for hit in report.overlap.hits] == [(1, "exam", 1), (3, "exam", 4)]
    assert 0.5 <= report.overlap.hits[0].share < 1 == report.overlap.hits[1].share


def test_the_studios_own_suites_are_compared_by_their_questions(tmp_path: Path) -> None:
    """A short question is found where a record asks just that; answers and names in the suite's file are none."""
    suite = SUITES["facts"]
    short = next(item for item in suite.items if len(item.question.split()) == 5)
    long = next(item for item in suite.items if len(item.question.split()) > 9)
    records = [
        answered(short.question.upper(), "I know the answer to that."),
        answered(f"{long.question} Say it in a word.", "I know the answer to that, too."),
        answered(f"{short.key}", "This is but a name, and no question of any suite."),
        answered(f"Say this: {short.question}", "It is not what is asked."),
    ]
    report, _ = judged(tmp_path, Shape.PROMPT_COMPLETION, records, suites={"facts": suite.file(Path())})
    assert rows_of(report, "in_suite") == [1, 2]
    [compared] = report.overlap.suites
    assert (compared.texts, compared.too_short) == (len(suite.items), 0)


def test_what_stands_in_many_texts_of_a_suite_is_no_question(tmp_path: Path) -> None:
    instruction = (
        "Answer the following question by writing only the letter of the right choice and nothing else"
    )
    suite = tmp_path / "choices.txt"
    suite.write_text("".join(f"{instruction}\n" for _ in range(20)))
    record = answered(instruction, "A is the letter that I choose, and nothing else.")
    report, _ = judged(tmp_path, Shape.PROMPT_COMPLETION, [record], suites={"choices": suite})
    assert rows_of(report, "in_suite") == []


def test_prompts_of_another_version_are_found_whatever_their_spelling(tmp_path: Path) -> None:
    other = written(tmp_path, Shape.PROMPT_ONLY, [{"prompt": [user("Where does the RIVER run")]}], "other")
    records = [answered("Where does the river run?", "To the sea."), answered("Where else?", "Nowhere else.")]
    report, _ = judged(tmp_path, Shape.PROMPT_COMPLETION, records, others={"other@1": other})
    assert rows_of(report, "in_other_version") == [1]
    assert [(one.name, one.prompts, one.rows) for one in report.overlap.others] == [("other@1", 1, 1)]


@pytest.fixture(scope="module")
def tiny() -> ResolvedModel:
    return ResolvedModel(name="tiny", path=str(bundled_folder() / "models" / "tiny-chat"))


def test_tokens_are_counted_and_the_limit_drawn(tmp_path: Path, tiny: ResolvedModel) -> None:
    records = [answered("Count, please!", "one two three " * n) for n in (1, 2, 50, 100)]
    report, _ = judged(tmp_path, Shape.PROMPT_COMPLETION, records, model=tiny, limit=100)
    assert report.tokens is not None and report.model == "tiny" and report.limit == 100
    assert (report.tokens.counted, report.tokens.sampled) == (4, False)
    assert report.tokens.cut is not None and report.tokens.cut.rows == 2 and report.tokens.cut_rows == [3, 4]
    without, _ = judged(tmp_path, Shape.PROMPT_COMPLETION, records, limit=100)
    assert without.tokens is None and without.model == ""


def test_many_rows_are_sampled_and_the_estimate_says_so(
    tmp_path: Path, tiny: ResolvedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_lengths, "SAMPLE", 300)
    records = [answered(f"Count {n}!", "one two three " * (100 if n % 4 == 0 else 1)) for n in range(1200)]
    reports = [judged(tmp_path, Shape.PROMPT_COMPLETION, records, model=tiny, limit=100)[0] for _ in "ab"]
    found = reports[0].tokens
    assert found is not None and found == reports[1].tokens
    assert found.sampled and found.counted == 300 and found.cut is not None
    assert found.cut.low < 0.25 < found.cut.high and found.cut.of == 300


def test_records_that_a_template_refuses_are_counted(tmp_path: Path, tiny: ResolvedModel) -> None:
    refuses = "{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ m.content }}"
    folder = tmp_path / "refusing"
    shutil.copytree(tiny.path, folder)
    (folder / "chat_template.jinja").write_text("{% for m in messages %}" + refuses + "{% endfor %}")
    refusing = tiny.model_copy(update={"path": str(folder)})
    system = {"role": "system", "content": "Be kind."}
    records = [
        answered("Hello there?", "Hello to you."),
        {**answered("a", "b"), "prompt": [system, user("Hello?")]},
    ]
    report, _ = judged(tmp_path, Shape.PROMPT_COMPLETION, records, model=refusing)
    assert report.tokens is not None and (report.tokens.counted, report.tokens.refused) == (1, 1)
