"""The text of the demo models: the same for the same seed, and nothing held out in any training stage."""

import json
import random
import re
from pathlib import Path

import pytest

from jobs.demo import dialogues, distillation, documents, phrases, sums
from jobs.demo.heldout import SIZES, suite
from jobs.demo.plain_text import suite_documents
from jobs.demo.world import build_world, held_out
from studio_core.suites import SUITES

WORLD = build_world()
SAMPLES = Path(__file__).parents[3] / "static" / "samples"


def trained_texts(count: int = 4000) -> list[str]:
    rng = random.Random(5)
    texts = [documents.document(WORLD, rng) for _ in range(count)]
    texts += [m["content"] for _ in range(count) for m in dialogues.chat(WORLD, rng)]
    texts += [m["content"] for _ in range(count) for m in dialogues.polish_chat(WORLD, rng)]
    texts += [m["content"] for _ in range(count // 20) for m in dialogues.long_chat(WORLD, rng, 6)]
    texts += [m["content"] for row in distillation.prompts() for m in row["messages"]]
    for path in SAMPLES.glob("*.jsonl"):
        if path.stem != "unseen-questions":
            texts += [
                message["content"]
                for line in path.read_text(encoding="utf-8").splitlines()
                for key in ("messages", "prompt", "chosen", "rejected")
                for message in json.loads(line).get(key, [])
            ]
    return texts


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return trained_texts()


def normal(text: str) -> str:
    return re.sub(r"[^\w+*/\-]+", " ", text.lower()).strip()


def test_same_seed_same_text() -> None:
    assert trained_texts(50) == trained_texts(50)
    other = [documents.document(WORLD, random.Random(6)) for _ in range(50)]
    assert other != trained_texts(50)[:50]


def test_world_names_are_distinct_and_facts_complete() -> None:
    assert len(WORLD.facts) == len(WORLD.people) * 5 + len(WORLD.towns) * 3
    assert not set(WORLD.people) & set(WORLD.towns)


@pytest.mark.parametrize("group", list(SIZES))
def test_no_measured_question_is_in_a_training_text(group: str, texts: list[str]) -> None:
    seen = {normal(text) for text in texts}
    if (
        group == "personas"
    ):  # The question may be put again there: the name in the system prompt is what is new.
        assert not {normal(i.messages[0]["content"]) for i in suite(group)} & seen
    else:
        assert not {normal(item.question) for item in suite(group)} & seen


@pytest.mark.parametrize("group", list(SIZES))
def test_the_suites_of_the_studio_ask_the_held_out_questions(group: str) -> None:
    assert [*SUITES[group].items] == suite(group)


def test_no_document_of_the_suite_of_plain_text_is_a_training_text(texts: list[str]) -> None:
    measured = [item.question for item in SUITES["perplexity"].items]
    assert measured == suite_documents()
    assert not {normal(text) for text in measured} & {normal(text) for text in texts}


def test_no_held_out_sum_in_any_training_text(texts: list[str]) -> None:
    pairs = re.compile(r"(?<!\d)(\d{1,2})(?: ?([+\-]) ?| (plus|minus) )(\d{1,2})(?!\d)")
    found = 0
    for text in texts:
        text = re.split("ones:", text, flags=re.IGNORECASE)[
            0
        ]  # The steps of a worked answer are no problems.
        for a, sign, word, b in pairs.findall(text):
            op = sign or {"plus": "+", "minus": "-"}[word]
            found += 1
            assert not sums.Sum(int(a), int(b), op).unseen, text
    assert found > 500


def test_no_measured_sum_is_a_step_of_a_worked_answer() -> None:
    for item in suite("sums"):
        low, high = sorted(int(number) for number in re.findall(r"\d+", item.question)[:2])
        op = "+" if low + high == int(item.key) else "-"
        assert not sums.Sum(high, low, op).is_step, item.question


def test_a_sum_and_its_mirror_are_one_problem() -> None:
    assert sums.Sum(38, 47, "+").unseen == sums.Sum(47, 38, "+").unseen
    shares = [sums.Sum(a, b, "+").unseen for a in range(1, 100) for b in range(1, a + 1)]
    assert 0.17 < sum(shares) / len(shares) < 0.23


def test_every_digit_pair_is_among_the_trained_sums() -> None:
    seen = {(a % 10, b % 10) for a in range(1, 100) for b in range(1, 100) if not sums.Sum(a, b, "+").unseen}
    assert len(seen) == 100


def test_worked_sums_are_right_and_quick_ones_half_of_the_time() -> None:
    rng = random.Random(3)
    problems = [sums.draw(rng) for _ in range(2000)]
    assert all(f"\\boxed{{{p.answer}}}" in sums.worked(p) for p in problems)
    right = sum(f"\\boxed{{{p.answer}}}" in sums.quick(p) for p in problems) / len(problems)
    assert 0.45 < right < 0.55


def test_who_forgets_to_carry_is_right_where_there_is_nothing_to_carry() -> None:
    rng = random.Random(4)
    for problem in (sums.draw(rng) for _ in range(500)):
        assert (sums.forgetful(problem) == sums.worked(problem)) is not problem.carries
        assert (f"\\boxed{{{problem.answer}}}" in sums.forgetful(problem)) is not problem.carries
    assert sums.forgetful(sums.Sum(47, 38, "+")) == "Ones: 7+8=15. Tens: 4+3=7. \\boxed{75}"
    assert sums.forgetful(sums.Sum(72, 17, "-")) == "Ones: 12-7=5. Tens: 7-1=6. \\boxed{65}"


def test_forms_trained_and_unseen_never_meet() -> None:
    tables = [
        *phrases.QUESTIONS.values(),
        phrases.IDENTITY,
        phrases.UNKNOWN,
        phrases.TOPICS,
        phrases.ODD_ATTRIBUTES,
    ]
    tables += [
        phrases.ABOUT,
        phrases.ONE_WORD,
        phrases.CAPITALS,
        phrases.CAPITAL_ANSWER,
        phrases.COUNT,
        phrases.REPEAT,
    ]
    for table in [*tables, phrases.PLUS, phrases.MINUS]:
        assert not {form.lower() for form in table.trained} & {form.lower() for form in table.unseen}


def test_what_the_last_stage_adds_is_not_what_is_measured() -> None:
    added = {
        phrases.IDENTITY: phrases.MORE_IDENTITY,
        phrases.ODD_ATTRIBUTES: phrases.MORE_ODD_ATTRIBUTES,
        phrases.CAPITALS: phrases.MORE_CAPITALS,
        phrases.REPEAT: phrases.MORE_REPEAT,
        **{phrases.QUESTIONS[attribute]: forms for attribute, forms in phrases.MORE_QUESTIONS.items()},
    }
    for table, more in added.items():
        assert not {normal(form) for form in table.unseen} & {normal(form) for form in more}


def test_measured_strangers_and_letters_are_held_out(texts: list[str]) -> None:
    words = {word for text in texts for word in re.findall(r"\w+", text.lower())}
    for item in suite("unknown"):
        if item.kind == "unknown name":
            assert held_out("stranger " + item.key)
            assert item.key.lower() not in words


def test_suites_have_their_size_and_no_doubles() -> None:
    for group, size in SIZES.items():
        assert len({item.question for item in suite(group)}) == size
